import { pino } from 'pino'
import t from 'tap'
import { createChangeFeed } from '../../src/changes/change-feed.ts'
import { openReading } from '../../src/database/seen-by.ts'
import { until } from '../fixtures/carrier.ts'
import { connection } from '../fixtures/connection.ts'
import { takeTestService } from '../fixtures/service.ts'

t.test('a feed that is stopped before or while it starts listens to nothing', async t => {
  const { databaseUrl, sql } = await takeTestService(t)
  const reading = openReading(connection(databaseUrl))
  t.teardown(() => reading.destroy())
  reading.readAs(null)
  const listening = async (): Promise<number> => {
    const rows = await sql(
      "select from pg_stat_activity where datname = current_database() and application_name = 'thingspace listening'",
    )
    return rows.length
  }
  const before = await listening()
  const log = pino({ level: 'silent' })

  const stopped = createChangeFeed(reading.seenBy, databaseUrl, log)
  await stopped.stop()
  await stopped.start()
  t.equal(await until(listening, count => count === before), before)

  const hurried = createChangeFeed(reading.seenBy, databaseUrl, log)
  const starting = hurried.start()
  await hurried.stop()
  await starting
  t.equal(await until(listening, count => count === before), before)
})
