import pg from 'pg'
import { superuser } from './embedded-cluster.ts'

/** How to reach a server on this machine. */
export interface Address {
  port: number
  password: string
}

/** Held for as long as the service lives, so that a second one sees that the data directory is in use. */
export interface Ownership {
  release(): Promise<void>
}

// Two numbers of our own. The lock is in the database postgres, out of the way of the service's own locks.
const lockKey = [20_817, 1]

export async function connect(address: Address, database: string): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: address.port,
    user: superuser,
    password: address.password,
    database,
    ssl: false,
    connectionTimeoutMillis: 5_000,
  })
  // Without a listener the loss of an idle connection would end the process.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
  return client
}

/** Whether another session owns the server. Only looks, so it can't get in the way of an owner. */
export async function isOwned(address: Address): Promise<boolean> {
  const client = await connect(address, 'postgres')
  try {
    const locks = await client.query(
      "select from pg_locks where locktype = 'advisory' and granted and classid = $1 and objid = $2",
      lockKey,
    )
    return locks.rowCount !== 0
  } finally {
    await client.end().catch(() => {})
  }
}

/** Makes us the owner of the server, or returns `undefined` when somebody else is. */
export async function takeOwnership(address: Address): Promise<Ownership | undefined> {
  let session = await lock(address)
  if (!session) return undefined
  let released = false

  // When one backend crashes, PostgreSQL closes every session and carries on, and so do we.
  function watch(held: pg.Client) {
    held.once('end', () => {
      if (!released) setTimeout(retake, 200).unref()
    })
  }
  async function retake() {
    if (released) return
    const taken = await lock(address).catch(() => undefined)
    if (!taken) {
      setTimeout(retake, 200).unref()
      return
    }
    session = taken
    if (released) await taken.end().catch(() => {})
    else watch(taken)
  }

  watch(session)
  return {
    async release() {
      released = true
      await session?.end().catch(() => {})
    },
  }
}

async function lock(address: Address): Promise<pg.Client | undefined> {
  const client = await connect(address, 'postgres')
  try {
    const { rows } = await client.query('select pg_try_advisory_lock($1, $2) as taken', lockKey)
    if (rows[0].taken) return client
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
  await client.end().catch(() => {})
  return undefined
}
