import { sql } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { onceReached } from '../../src/database/open-store.ts'
import { openDatabase } from '../../src/database/pool.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

t.test('why the database is not reached is said once, and again when it is something else', async t => {
  const url = await createEmptyDatabase(t)
  const noServer = new URL(url)
  noServer.port = '1'
  const noDatabase = new URL(url)
  noDatabase.pathname = '/no_such_database'
  const noUser = new URL(url)
  noUser.username = 'no_such_user'
  const places = [noServer, noServer, noDatabase, noDatabase, noUser, url]
  const lines: string[] = []
  const log = pino({ base: null }, { write: line => void lines.push(JSON.parse(line).msg) })
  const reached = await onceReached(() => ask(`${places.shift()}`), { log, isClosing: () => false })
  t.equal(reached, 1)
  t.strictSame(lines, [
    'the database is away; trying again every second',
    'PostgreSQL has no database of the name in DATABASE_URL; trying again every second',
    'PostgreSQL refuses the user or the password of DATABASE_URL; trying again every second',
  ])
})

async function ask(url: string): Promise<number | undefined> {
  const limits = { connections: 1, statementTimeoutMs: 5_000, lockTimeoutMs: 5_000, connectionTimeoutMs: 5_000 }
  const db = openDatabase({ url, name: 'asking', ...limits, onConnectionError: () => undefined })
  try {
    const { rows } = await sql<{ one: number }>`select 1 as one`.execute(db)
    return rows[0]?.one
  } finally {
    await db.destroy()
  }
}
