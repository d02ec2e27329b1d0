import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import { callbackSeal } from '../../src/secrets/callback-seal.ts'
import { createSealer, keyIdOf } from '../../src/secrets/sealer.ts'
import { childEnvironment } from '../fixtures/child-environment.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { startServerProcess } from '../fixtures/server-process.ts'
import { account, send, startTestService, type TestService } from '../fixtures/service.ts'

const oldKey = randomBytes(32)
const newKey = randomBytes(32)
const rotated = { SEAL_KEY: base64(newKey), SEAL_KEYS_PREVIOUS: base64(oldKey) }
const entry = path.join(import.meta.dirname, '..', '..', 'src', 'commands', 'reseal.ts')

const told = (n: number) => makeCallback({ requestId: `told-${n}`, ...device(n), secret: `secret-${n}` })
const oddOne = JSON.stringify(told(3)).replace(/}$/, ',"more":{"a":1,"a":2}}')

t.test('a rotation: both keys open, a killed reseal is resumed, and then the old key can go', async t => {
  const databaseUrl = await createTestDatabase(t)
  const before = await startServerProcess(t, { DATABASE_URL: databaseUrl, SEAL_KEY: base64(oldKey) })
  const post = (body: unknown) => send(`${before.url}/callbacks/${account}/CarrierService`, 'POST', { body })
  const { body: first } = await post(told(1))
  const { body: quarantined } = await post(oddOne)
  t.match(quarantined, { verdict: 'quarantined' })
  const { next: cursor } = (await send(`${before.url}/v1/callbacks?limit=1`, 'GET', {})).body
  t.equal(await before.end('SIGTERM'), 0)

  const service = await startTestService(t, { DATABASE_URL: databaseUrl, ...rotated })
  t.match((await service.callback(told(2))).body, { verdict: 'unmatched' })
  await opensEverything(t, service, quarantined.callbackId, 'sealed under two keys')

  const kept = await addSealed(service, oldKey, 6_000)
  const letGo = await holdUpReseal(t, databaseUrl)
  const killed = startReseal(databaseUrl, rotated)
  await killed.said(/sealed anew: \d+ of 6004/)
  killed.kill()
  await killed.ended
  await letGo()
  const half = await countByKey(service)
  t.ok(half.done > 1 && half.left > 0, `killed when ${half.done} were done and ${half.left} were left`)
  await opensEverything(t, service, quarantined.callbackId, 'after the kill')

  // Two runs at once, and the service counts repeats on the very rows that are sealed anew.
  const runs = Promise.all([1, 2].map(() => startReseal(databaseUrl, rotated).ended))
  const verdicts = new Set<string>()
  let resealing = true
  void runs.then(() => {
    resealing = false
  })
  while (resealing) for (const body of [told(1), oddOne]) verdicts.add((await service.callback(body)).body.verdict)
  t.strictSame([...verdicts], ['repeated'])
  const finished = await runs
  t.match(finished, [{ code: 0 }, { code: 0 }])
  const sealedAnew = finished.reduce((sum, { output }) => sum + Number(/done: (\d+)/.exec(output)?.[1]), 0)
  // What the killed one had sent may have been committed after it was counted.
  t.ok(sealedAnew <= half.left && sealedAnew >= half.left - 200, `none twice: ${sealedAnew} of ${half.left}`)
  t.match(await startReseal(databaseUrl, rotated).ended, { code: 0, output: /done: 0 sealed anew/ })
  t.match(await countByKey(service), { left: 0 })
  t.strictSame(await service.sql(`select from pg_class where relname ~ 'not_under'`), [], 'its index is gone again')

  const after = await startTestService(t, { DATABASE_URL: databaseUrl, SEAL_KEY: base64(newKey) })
  await opensEverything(t, after, quarantined.callbackId, 'without the old key')
  t.match((await after.callback(told(1))).body, { callbackId: first.callbackId, verdict: 'repeated' })
  t.match((await after.callback(oddOne)).body, { callbackId: quarantined.callbackId, verdict: 'repeated' })
  const page = await after.get(`/v1/callbacks?limit=1&cursor=${cursor}`)
  t.match(page, { status: 200, body: { items: [{ callbackId: first.callbackId }] } }, 'a cursor of then goes on')
  const sealer = createSealer(newKey)
  const rows = await after.sql('select id, sealed, seal_key_id from callbacks where id = any($1)', [[...kept.keys()]])
  const changed = rows.filter(
    row => sealer.open(row.sealed, row.seal_key_id, callbackSeal(row.id)).toString() !== kept.get(row.id),
  )
  t.strictSame([rows.length, changed.length], [6_000, 0], 'each row holds what it held')
})

t.test('a reseal that can not finish says which key or row is at fault, and does all the others', async t => {
  const databaseUrl = await createTestDatabase(t)
  const service = await startTestService(t, { DATABASE_URL: databaseUrl, SEAL_KEY: base64(oldKey) })
  const ids: string[] = []
  for (const n of [1, 2]) ids.push((await service.callback(told(n))).body.callbackId)
  const lost = randomBytes(32)
  await addSealed(service, lost, 3)
  const [broken = ''] = ids
  await service.sql('update callbacks set sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) where id = $1', [
    broken,
  ])

  const without = await startReseal(databaseUrl, { SEAL_KEY: base64(newKey) }).ended
  t.equal(without.code, 1)
  t.match(without.output, new RegExp(`4 under the key ${keyIdOf(oldKey)}, which is missing`), 'callbacks and keys')
  t.match(without.output, new RegExp(`3 under the key ${keyIdOf(lost)}, which is missing`))
  t.match(await countByKey(service), { done: 0 })

  // A damaged row is not waited for: it ends.
  const partly = await startReseal(databaseUrl, rotated).ended
  t.equal(partly.code, 1)
  t.match(partly.output, new RegExp(`NOT done: 3 sealed anew; not under the key ${keyIdOf(newKey)}`))
  t.match(partly.output, new RegExp(`3 under the key ${keyIdOf(lost)}, which is missing`))
  t.match(partly.output, new RegExp(`damaged, does not open: callback:${broken}`))
  t.match(await countByKey(service), { done: 1, left: 1 + 3 })
  for (const secret of [base64(oldKey), base64(newKey), 'secret-1', 'secret-2', 'kept secret']) {
    t.notOk(`${without.output}${partly.output}`.includes(secret))
  }
  const unreachable = await startReseal('postgres://somebody:hidden@127.0.0.1:1/none', rotated).ended
  t.match(unreachable, { code: 1, output: /stopped.*ECONNREFUSED/s })
  t.notMatch(unreachable.output, /hidden/)
  const misspelt = await startReseal(databaseUrl, { SEAL_KEY: 'c2hvcnQ=' }).ended
  t.match(misspelt, { code: 1, output: /SEAL_KEY: must be the base64 form of 32 bytes/ })
  t.notMatch(misspelt.output, / at .*\.ts/, 'no stack')
})

t.test('a row that somebody holds is passed over and sealed anew when it is free', async t => {
  const databaseUrl = await createTestDatabase(t)
  const service = await startTestService(t, { DATABASE_URL: databaseUrl, SEAL_KEY: base64(oldKey) })
  for (const n of [1, 2, 3]) await service.callback(told(n))
  // Building the index would wait for the one who holds the row; so one run without the key leaves it ready.
  t.match(await startReseal(databaseUrl, { SEAL_KEY: base64(newKey) }).ended, { code: 1 })
  const holder = new pg.Client({ connectionString: databaseUrl })
  await holder.connect()
  await holder.query('begin')
  await holder.query('select from callbacks order by id limit 1 for update')
  const run = startReseal(databaseUrl, rotated)
  await run.said(/sealed anew: \d+ of 5/)
  t.match(await countByKey(service), { done: 2, left: 1 })
  await holder.query('commit')
  await holder.end()
  t.match(await run.ended, { code: 0 })
  t.match(await countByKey(service), { done: 3, left: 0 })
})

function base64(key: Buffer): string {
  return key.toString('base64')
}

async function opensEverything(t: Test, { get }: TestService, quarantinedId: string, when: string): Promise<void> {
  for (const n of [1, 2]) {
    const { body } = await get(`/v1/profiles/${device(n).iccid}/credential`)
    t.match(body, { password: `secret-${n}` }, `credential ${n}, ${when}`)
  }
  t.equal((await get(`/v1/callbacks/${quarantinedId}/bytes`)).body, oddOne, `quarantined bytes, ${when}`)
}

/** Rows as an older service has left them, many at once: what each holds, by id. */
async function addSealed(service: TestService, key: Buffer, count: number): Promise<Map<string, string>> {
  const sealer = createSealer(key)
  const rows = Array.from({ length: count }, (_, n) => {
    const id = uuidv7()
    const plain = `{"/token":"kept secret ${n}"}`
    return { id, plain, sealed: `\\x${sealer.seal(Buffer.from(plain), callbackSeal(id)).sealed.toString('hex')}` }
  })
  await service.sql(
    `insert into callbacks (id, account_name, service_name, fingerprint, verdict, received_at, last_seen_at, body, sealed,
      seal_key_id)
     select id, '${account}', 'CarrierService', id, 'other', now(), now(), '{"token":"[sealed]"}', sealed,
      '${sealer.currentKeyId}' from json_to_recordset($1) as r(id uuid, sealed bytea)`,
    [JSON.stringify(rows)],
  )
  return new Map(rows.map(({ id, plain }) => [id, plain]))
}

/** A reseal seals one batch, and waits with the next one until it is let go: else it might be done before it is killed. */
async function holdUpReseal(t: Test, databaseUrl: string): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: databaseUrl })
  await holder.connect()
  t.teardown(() => holder.end())
  await holder.query(`
    create function hold_up() returns trigger language plpgsql as $$
    begin
      if (select count(*) from callbacks where seal_key_id = '${keyIdOf(newKey)}') > 1 then
        perform pg_advisory_xact_lock(1);
      end if;
      return null;
    end $$;
    create trigger hold_up before update on callbacks execute function hold_up();
    select pg_advisory_lock(1)`)
  return async () => void (await holder.query('select pg_advisory_unlock(1); drop function hold_up cascade'))
}

async function countByKey(service: TestService): Promise<{ done: number; left: number }> {
  const [row] = await service.sql(
    `select count(*) filter (where seal_key_id = $1)::int as done,
      count(*) filter (where seal_key_id <> $1)::int as left from callbacks`,
    [keyIdOf(newKey)],
  )
  return row
}

/** What `npm run reseal` runs, as a process of its own. */
function startReseal(databaseUrl: string, env: Record<string, string>) {
  let output = ''
  const child = spawn(process.execPath, [entry], {
    env: childEnvironment({ DATABASE_URL: databaseUrl, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  child.stdout.on('data', data => (output += data))
  child.stderr.on('data', data => (output += data))
  const ended = new Promise<{ code: number | null; output: string }>(resolve => {
    child.once('close', code => resolve({ code, output }))
  })
  return {
    ended,
    kill: () => child.kill('SIGKILL'),
    said: async (what: RegExp) => {
      while (!what.test(output) && child.exitCode === null) await new Promise(resolve => setTimeout(resolve, 5))
      if (!what.test(output)) throw new Error(`it ended without saying ${what}:\n${output}`)
    },
  }
}
