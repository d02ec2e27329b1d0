import t from 'tap'
import { openPool } from '../../src/database/pool.ts'
import { createTestDatabase } from '../fixtures/database.ts'

t.test('a statement with parameters is answered whether it is asked with a promise or a callback', async t => {
  const pool = openPool({
    url: await createTestDatabase(t),
    name: 'test',
    connections: 1,
    statementTimeoutMs: 5_000,
    lockTimeoutMs: 5_000,
    connectionTimeoutMs: 5_000,
    onConnectionError: () => undefined,
  })
  t.teardown(() => pool.end())
  for (const n of [1, 2]) {
    t.strictSame((await pool.query('select $1::int as n', [n])).rows, [{ n }])
  }
  const wanted = { tcp_keepalives_idle: '10', idle_in_transaction_session_timeout: '2s', idle_session_timeout: '10min' }
  for (const [name, value] of Object.entries(wanted)) {
    t.match((await pool.query(`show ${name}`)).rows, [{ [name]: value }], 'the server notices a client that is gone')
  }
})
