import t from 'tap'
import { openPool } from '../../src/database/pool.ts'
import { connection } from '../fixtures/connection.ts'
import { checkLedger } from './check-ledger.ts'
import { startLink } from './link.ts'
import { startLoad, untilTaken } from './load.ts'
import { startOwnPostgres } from './own-postgres.ts'
import { isAlive, startInEarnest } from './stage.ts'
import { addStandby, failOver, followable } from './standby.ts'

t.test('a synchronous standby, promoted when its primary is killed, has all that was acknowledged', async t => {
  const primary = await startOwnPostgres(t, { settings: followable })
  const standby = await addStandby(t, primary)
  const elsewhere = openPool(connection(standby.url()))
  t.teardown(() => elsewhere.end())
  await t.rejects(elsewhere.query('select'), { code: '25006' }, 'what a standby says may be old')
  const wherever = openPool(connection(`${standby.url()}?target_session_attrs=any`))
  t.teardown(() => wherever.end())
  t.match(await wherever.query('select 1 as one'), { rows: [{ one: 1 }] }, 'unless that will do')

  const link = await startLink(primary.url())
  t.teardown(() => link.stop())
  const server = await startInEarnest(t, link.url)
  const urls = () => [server.url]
  const load = startLoad({ urls, workers: 12 })
  await load.reaches(200)
  await failOver(primary, standby)
  link.leadTo(standby.url())
  await untilTaken({ urls }, load.ledger)
  await load.reaches(load.acknowledged() + 50)
  await load.stop()
  t.match(await checkLedger(standby.sql, [server], load.ledger), { lost: 0, doubled: 0 })
  t.ok(isAlive(server), 'the same process')
})
