import pg from 'pg'

/** Of 16 MiB each: more than are written from one checkpoint to the end of the next, which gives them back. */
const files = 160

/**
 * Leaves PostgreSQL with a log (WAL) like that of a server in use, which writes into files that it has used before. A new
 * one has to make each of them first, and all who commit wait for that: some 50 ms, once or twice a second under load.
 */
export async function useLog(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query("alter system set min_wal_size = '2GB'")
    await client.query("alter system set max_wal_size = '2GB'")
    await client.query('select pg_reload_conf()')
    for (let file = 0; file < files; file += 1) {
      await client.query("select pg_logical_emit_message(true, 'bench', ''), pg_switch_wal()")
    }
    await client.query('checkpoint')
  } finally {
    await client.end()
  }
}
