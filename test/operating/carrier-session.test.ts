import t, { type Test } from 'tap'
import { migrate } from '../../src/database/migrate.ts'
import type { Database } from '../../src/database/pool.ts'
import { createSessionStore } from '../../src/operating/carrier-session.ts'
import { openCarrier } from '../../src/operating/open-carrier.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import type { RunningSimulator, StartOptions } from '../../src/simulator/start-simulator.ts'
import { startSimulator } from '../../src/simulator/start-simulator.ts'
import { openTestDatabase } from '../fixtures/connection.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { account } from '../fixtures/service.ts'
import { failure } from '../thingspace/client-carrier.ts'

const sealer = createSealer(Buffer.alloc(32, 7))
const user = { key: 'the-key', secret: 'the-secret', username: 'the-user', password: 'right-password' }

/** Databases as two replicas would open them, and a carrier that takes only the right password. */
async function setUp(t: Test, options: StartOptions = {}) {
  const url = await createTestDatabase(t)
  const databases = [open(t, url), open(t, url)] as const
  await migrate(databases[0])
  const carrier = await startSimulator({ credentials: user, ...options })
  t.teardown(() => carrier.close())
  const access = { baseUrl: carrier.url, ...user }
  const replica = (db: Database, more: Partial<typeof access> = {}, by = sealer) =>
    openCarrier(db, by, { ...access, ...more })
  const pair = (more: Partial<typeof access> = {}) =>
    [replica(databases[0], more), replica(databases[1], more)] as const
  return { databases, carrier, access, replica, pair }
}

function open(t: Test, url: string): Database {
  return openTestDatabase(t, url, { connections: 3 })
}

const logins = (carrier: RunningSimulator) =>
  carrier.asked().filter(({ path }) => path.endsWith('/session/login')).length

t.test('two replicas, and those that start later, share one token and one login', async t => {
  const { databases, carrier, replica, pair } = await setUp(t)
  const [one, two] = pair()
  const calls = Array.from({ length: 10 }, (_, n) => (n % 2 ? one : two).listListeners(account))
  t.strictSame(await Promise.all(calls), Array(10).fill([]))
  await replica(databases[1]).listListeners(account)
  t.equal(logins(carrier), 1)
  t.equal(carrier.asked().filter(({ path }) => path.endsWith('/oauth2/token')).length, 1)

  carrier.expireSessions()
  await Promise.all([one, two, one, two].map(client => client.listListeners(account)))
  t.equal(logins(carrier), 2, 'one more for both, when the carrier has ended it')
})

t.test('two refused logins stop both replicas, until a person clears that on either', async t => {
  const { databases, carrier, replica, pair } = await setUp(t)
  const [one, two] = pair({ password: 'wrong-password' })
  t.match(await failure(one.listListeners(account)), { kind: 'unauthorized' })
  t.match(await failure(two.listListeners(account)), { kind: 'unauthorized' })
  for (const client of [one, two, replica(databases[0])]) {
    t.match(await failure(client.listListeners(account)), { kind: 'login-latched', outcome: 'not-sent' })
  }
  t.equal(logins(carrier), 2)
  const other = replica(databases[0], { username: 'another-user' })
  t.match(await failure(other.listListeners(account)), { kind: 'unauthorized' }, 'another user has a latch of its own')

  await replica(databases[1]).clearLoginLatch()
  t.strictSame(await replica(databases[0]).listListeners(account), [])
})

t.test('the session is kept sealed, and shown to nobody but its own host and user', async t => {
  const { databases, access, replica } = await setUp(t)
  const [db] = databases
  await replica(db).listListeners(account)
  const stored = await createSessionStore(db, sealer, access).load()
  t.match(stored, { accessToken: /^[0-9a-f-]{36}$/, sessionToken: /^[0-9a-f-]{36}$/, refusedLogins: 0 })
  const rows = await db.selectFrom('thingspace_session').selectAll().execute()
  t.equal(rows.length, 1)
  const kept = JSON.stringify(rows.map(row => ({ ...row, sealed: row.sealed?.toString('latin1') })))
  for (const secret of [stored?.accessToken, stored?.sessionToken, ...Object.values(user)]) {
    t.notOk(kept.includes(String(secret)))
  }
  for (const owner of [{ baseUrl: 'https://elsewhere.invalid' }, { key: 'other' }, { username: 'other' }]) {
    t.equal(await createSessionStore(db, sealer, { ...access, ...owner }).load(), null, JSON.stringify(owner))
  }
})

t.test('under a seal key that is gone there is no session, but still the latch', async t => {
  const { databases, carrier, access, replica } = await setUp(t)
  const [db] = databases
  await replica(db).listListeners(account)
  const otherKey = createSealer(Buffer.alloc(32, 8))
  await db.updateTable('thingspace_session').set({ refused_logins: 2 }).execute()
  t.match(await createSessionStore(db, otherKey, access).load(), {
    accessToken: null,
    sessionToken: null,
    refusedLogins: 2,
  })
  await db.updateTable('thingspace_session').set({ refused_logins: 0 }).execute()
  t.strictSame(await replica(db, {}, otherKey).listListeners(account), [])
  t.equal(logins(carrier), 2)
})

t.test('a use moves only the session that is kept', async t => {
  const { databases, access } = await setUp(t)
  const store = createSessionStore(databases[0], sealer, access)
  const session = {
    accessToken: 'a',
    tokenRenewAt: 5_000,
    tokenEndsAt: 6_000,
    sessionToken: 's',
    sessionUsedAt: 1_000,
    refusedLogins: 1,
  }
  await store.save(session)
  t.strictSame(await store.load(), session)
  await store.touch('other', 9_000)
  t.strictSame(await store.load(), session)
  await store.touch('s', 3_000)
  await store.touch('s', 2_000)
  t.strictSame(await store.load(), { ...session, sessionUsedAt: 3_000 })
})

t.test('alone means alone among all that share the database, and no error leaves it locked', async t => {
  const { databases, access } = await setUp(t)
  const one = createSessionStore(databases[0], sealer, access)
  const two = createSessionStore(databases[1], sealer, access)
  let [inside, most] = [0, 0]
  const work = async () => {
    most = Math.max(most, ++inside)
    await new Promise(resolve => setTimeout(resolve, 20))
    inside--
  }
  await Promise.all([one, two, one, two, one].map(store => store.alone(work)))
  t.equal(most, 1)
  await t.rejects(
    one.alone(() => Promise.reject(new Error('it went wrong'))),
    /it went wrong/,
  )
  await two.alone(work)
})
