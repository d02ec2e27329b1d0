import { type AddressInfo, createServer } from 'node:net'
import t from 'tap'
import { openPool } from '../../src/database/pool.ts'
import { isDatabaseAway } from '../../src/database/refusal.ts'
import { connection } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

t.test('a commit waits for the disk, whatever the database says, and the server ends sessions of the dead', async t => {
  const url = await createEmptyDatabase(t)
  const pool = open(url)
  t.teardown(() => pool.end())
  await pool.query(`alter database ${new URL(url).pathname.slice(1)} set synchronous_commit = off`)
  const anew = open(url)
  t.teardown(() => anew.end())
  const wanted = {
    synchronous_commit: 'on',
    statement_timeout: '5s',
    tcp_keepalives_idle: '10',
    idle_in_transaction_session_timeout: '2s',
    idle_session_timeout: '10min',
    // The server's warning that a crash was another connection's is one.
    client_min_messages: 'warning',
  }
  const more = open(`${url}?options=-c%20search_path%3Delsewhere&statement_timeout=60000`)
  t.teardown(() => more.end())
  for (const [name, value] of Object.entries(wanted)) {
    t.match((await anew.query(`show ${name}`)).rows, [{ [name]: value }])
    t.match((await more.query(`show ${name}`)).rows, [{ [name]: value }], 'also with options in the URL')
  }
})

t.test('nothing is asked for while connecting that a pooler of sessions would refuse', async t => {
  const asked = new Promise<string[]>(resolve => {
    const pooler = createServer(socket => {
      socket.on('error', () => undefined)
      socket.once('data', data => {
        // Length and version, then names and values by turns.
        resolve(data.subarray(8).toString().split('\0'))
        socket.destroy()
      })
    })
    t.teardown(() => pooler.close())
    pooler.listen(0, '127.0.0.1', () => {
      const pool = open(`postgres://user@127.0.0.1:${(pooler.address() as AddressInfo).port}/name`)
      t.teardown(() => pool.end())
      pool.query('select').catch(() => undefined)
    })
  })
  const names = (await asked).filter((text, at) => at % 2 === 0 && text !== '')
  t.strictSame(names.sort(), ['application_name', 'client_encoding', 'database', 'user'])
})

t.test('a statement with parameters is answered whether it is asked with a promise or a callback', async t => {
  const pool = open(await createEmptyDatabase(t))
  t.teardown(() => pool.end())
  for (const n of [1, 2]) {
    t.strictSame((await pool.query('select $1::int as n', [n])).rows, [{ n }])
  }
})

t.test('a statement goes on when a newer version has added a column, after one that is asked again', async t => {
  const pool = open(await createEmptyDatabase(t))
  t.teardown(() => pool.end())
  await pool.query('create table grown as select 1 as a')
  // As Kysely does: it gives a connection back whatever came of its query.
  const ask = async () => {
    const client = await pool.connect()
    return client.query('select * from grown where a = $1', [1]).finally(() => client.release())
  }
  t.strictSame((await ask()).rows, [{ a: 1 }])
  await pool.query('alter table grown add column b integer default 2')
  const stale = await ask().catch(error => error)
  t.match(stale, { code: '0A000' })
  t.ok(isDatabaseAway(stale), 'the one who asked is told to ask again')
  t.strictSame((await ask()).rows, [{ a: 1, b: 2 }])
  const unsupported = await pool.query('select count(*) from grown for update').catch(error => error)
  t.match(unsupported, { code: '0A000' })
  t.notOk(isDatabaseAway(unsupported), 'that is a fault of ours')
})

function open(url: string) {
  return openPool(connection(url, { connections: 1, statementTimeoutMs: 5_000 }))
}

t.test(
  'a link that can not be made, for whatever reason of the network or of this process, is no fault of who asks',
  async t => {
    const codes = ['ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EMFILE']
    for (const code of codes) t.ok(isDatabaseAway(Object.assign(new Error('connect'), { code })), code)
    t.notOk(isDatabaseAway(Object.assign(new Error('read'), { code: 'EISDIR' })))
  },
)
