import type { KyselyPlugin, QueryId } from 'kysely'
import { pino } from 'pino'
import t from 'tap'
import { createChangeFeed } from '../../src/changes/change-feed.ts'
import { openReading, type SeenBy } from '../../src/database/seen-by.ts'
import { takeTestService } from '../fixtures/service.ts'

t.test('readers who come while the feed starts make it repeat nothing', async t => {
  const { databaseUrl, sql } = await takeTestService(t)
  const reading = openReading({
    url: databaseUrl,
    name: 'test',
    connections: 2,
    statementTimeoutMs: 5_000,
    lockTimeoutMs: 5_000,
    connectionTimeoutMs: 5_000,
    onConnectionError: () => undefined,
  })
  t.teardown(() => reading.destroy())
  reading.readAs(null)
  const held = holdFirstAnswer(reading.seenBy)
  const feed = createChangeFeed(held.seenBy, databaseUrl, pino({ level: 'silent' }))
  t.teardown(() => feed.stop())
  const append = () =>
    sql(`insert into changes (at, kind, account_name, becomes, source) values (now(), 'result', 'a', '{}', 'callback')`)

  const starting = feed.start()
  await held.seen
  await append()
  await append()
  await feed.look()
  held.release()
  await starting
  await append()
  await feed.look()

  const { rows } = await feed.read({ id: 0n, thinned: true }, {}, '*', 100)
  const appended = await sql('select id from changes order by id')
  t.equal(appended.length, 3)
  t.strictSame(
    rows.map(({ id }) => id),
    appended.map(({ id }) => id),
  )
})

/** What the first query saw is told late. */
function holdFirstAnswer(seenBy: SeenBy) {
  const [seen, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let first: QueryId | null = null
  const held: KyselyPlugin = {
    transformQuery({ node, queryId }) {
      first ??= queryId
      return node
    },
    async transformResult({ result, queryId }) {
      if (queryId !== first) return result
      seen.resolve()
      await released.promise
      return result
    },
  }
  const holding: SeenBy = accounts => seenBy(accounts).withPlugin(held)
  return { seenBy: holding, seen: seen.promise, release: released.resolve }
}
