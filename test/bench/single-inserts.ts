import pg from 'pg'
import { answerOrder, type LoadResult, resultOf } from './order.ts'

/*
 * What PostgreSQL itself does with one row a transaction and nothing around it, as pgbench would ask it: one prepared
 * insert of 1.3 kB after the other on each connection.
 */
export interface InsertOrder {
  databaseUrl: string
  connections: number
  seconds: number
}

answerOrder(insert)

async function insert({ databaseUrl, connections, seconds }: InsertOrder): Promise<LoadResult> {
  const clients = Array.from({ length: connections }, () => new pg.Client({ connectionString: databaseUrl }))
  for (const client of clients) await client.connect()
  await clients[0]?.query('create table if not exists single_rows (id bigint generated always as identity, body text)')
  const query = { name: 'insert', text: 'insert into single_rows (body) values ($1)', values: ['x'.repeat(1_300)] }
  const took: number[] = []
  const began = performance.now()
  await Promise.all(
    clients.map(async client => {
      for (let now = performance.now(); now - began < seconds * 1_000; ) {
        const sent = now
        await client.query(query)
        now = performance.now()
        took.push(now - sent)
      }
    }),
  )
  const passed = (performance.now() - began) / 1_000
  for (const client of clients) await client.end()
  return resultOf(took, 0, passed)
}
