import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'

/** The obvious receiver: one transaction per callback, written plainly. What most would build first. */
interface PlainTables {
  plain_callbacks: { fingerprint: string; request_id: string; body: string }
  plain_profiles: { iccid: string; state: string; role: string; body: string }
}

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 20 })
const db = new Kysely<PlainTables>({ dialect: new PostgresDialect({ pool }) })
await sql`create table if not exists plain_callbacks (fingerprint text primary key, request_id text, body text)`.execute(
  db,
)
await sql`create index if not exists plain_by_request on plain_callbacks (request_id)`.execute(db)
await sql`create table if not exists plain_profiles (iccid text primary key, state text, role text, body text)`.execute(
  db,
)

const app = fastify()
app.post('/callbacks/:accountName/:serviceName', async request => {
  // biome-ignore lint/suspicious/noExplicitAny: the obvious receiver trusts what it gets
  const message = request.body as any
  const body = JSON.stringify(message)
  const profile = message.deviceResponse.deviceProfileResponse
  const iccid = message.deviceIds[0].id
  await db.transaction().execute(async trx => {
    const inserted = await trx
      .insertInto('plain_callbacks')
      .values({ fingerprint: `${message.requestId} ${iccid}`, request_id: message.requestId, body })
      .onConflict(conflict => conflict.doNothing())
      .executeTakeFirst()
    if (inserted.numInsertedOrUpdatedRows === 0n) return
    await trx
      .insertInto('plain_profiles')
      .values({ iccid, state: profile.state, role: profile.profileRole, body })
      .onConflict(conflict =>
        conflict.column('iccid').doUpdateSet({ state: profile.state, role: profile.profileRole, body }),
      )
      .execute()
  })
  return { verdict: 'applied' }
})
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo
process.send?.({ url: `http://127.0.0.1:${port}` })
process.on('disconnect', () => process.exit(0))
