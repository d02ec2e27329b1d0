import pg from 'pg'
import t from 'tap'
import { createTestDatabase } from '../fixtures/database.ts'
import { checkLedger } from './check-ledger.ts'
import { startCrowd } from './crowd.ts'
import { pause, startLoad } from './load.ts'
import { startInEarnest } from './stage.ts'

t.test('slow clients are turned away, and real callbacks are taken beside them', async t => {
  const databaseUrl = await createTestDatabase(t)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  t.teardown(() => pool.end())
  const server = await startInEarnest(t, databaseUrl, { REQUEST_TIMEOUT: '2s' })
  const load = startLoad({ urls: () => [server.url], workers: 4, restMs: 20 })
  const crowd = startCrowd(t, server.url, 30)
  for (let tries = 0; crowd.turnedAway() < 20 && tries < 600; tries += 1) await pause(50)
  t.ok(crowd.turnedAway() >= 20, `${crowd.turnedAway()} of ${crowd.held()} were turned away`)
  await load.reaches(load.acknowledged() + 100)
  crowd.end()
  await load.stop()
  const sql = async (text: string, values?: unknown[]) => (await pool.query(text, values)).rows
  t.match(await checkLedger(sql, [server], load.ledger), { lost: 0, doubled: 0 })
})
