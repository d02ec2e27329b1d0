import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import type { LedgerEntry } from '../../src/simulator/ledger.ts'
import type { Settings } from '../../src/simulator/settings.ts'
import { access, requestFor, startCarrier, until } from '../fixtures/carrier.ts'
import { device } from '../fixtures/make-callback.ts'
import { makeSentOlder, makeUnclaimedOlder } from '../fixtures/make-older.ts'
import { type Answer, account, type Row, startTestService } from '../fixtures/service.ts'

// Each misbehaviour of the carrier by its name, against the whole service: asked for, called back, and answered.

const carrier = await startCarrier(t)
const token = 'tscr_whole'
const service = await startTestService(t, {
  ...access,
  THINGSPACE_BASE_URL: carrier.url,
  THINGSPACE_ACCOUNT: account,
  CALLBACK_USERNAME: 'listener',
  CALLBACK_PASSWORD: 'password-2',
  CALLBACK_PASSWORD_PREVIOUS: 'password-1',
  API_TOKENS: `test:read,activate:*:${createHash('sha256').update(token).digest('hex')}`,
  EXPECT_WITHIN: '2s',
})
const authorization = `Bearer ${token}`
const get = (path: string) => service.get(path, { authorization })
const atOnce: Partial<Settings> = { callbackAfterMs: 5, callbackSpreadMs: 20, timeScale: 0.0005 }
const defaults = carrier.settings()

function behave(settings: Partial<Settings> = {}, password = 'password-2'): void {
  carrier.settings({ ...defaults, ...atOnce, ...settings })
  const url = `${service.url}/callbacks/${account}/CarrierService`
  carrier.listen({ accountName: account, serviceName: 'CarrierService', url, username: 'listener', password })
}

let used = 0
const numbers = (count: number) => Array.from({ length: count }, () => ++used)

interface Run {
  answer: Answer
  requestId: string
  iccids: string[]
}

async function activate(count = 10): Promise<Run> {
  const wanted = numbers(count)
  const answer = await service.call('POST', '/v1/activations', {
    headers: { authorization },
    body: requestFor(...wanted),
  })
  return { answer, requestId: answer.body.requestId, iccids: wanted.map(n => device(n).iccid) }
}

const activationOf = ({ requestId }: Pick<Run, 'requestId'>) => get(`/v1/activations/${requestId}`)
const targetsOf = async ({ requestId }: Pick<Run, 'requestId'>): Promise<Row[]> =>
  (await get(`/v1/activations/${requestId}/targets?limit=1000`)).body.items
const callbacksOf = async ({ requestId }: Pick<Run, 'requestId'>): Promise<Row[]> =>
  (await get(`/v1/activations/${requestId}/callbacks?limit=1000`)).body.items
const resultsOf = async ({ requestId }: Pick<Run, 'requestId'>): Promise<Row[]> =>
  (await get(`/v1/changes?requestId=${requestId}&limit=1000`)).body.items.filter((one: Row) => one.kind === 'result')
const sentOf = ({ requestId }: Pick<Run, 'requestId'>): LedgerEntry[] =>
  carrier.ledger().filter(entry => entry.requestId === requestId)

const settled = (run: Pick<Run, 'requestId'>) =>
  until(
    () => activationOf(run),
    ({ body }) => body.settledAt !== null && body.settledAt !== undefined,
  )

/** All that was acknowledged is there, each message once, with every delivery counted. */
async function keptAsSent(t: Test, run: Run): Promise<void> {
  await carrier.idle()
  const sent = sentOf(run).filter(({ outcome }) => outcome === 'ok')
  const deliveries = sent.flatMap(({ attempts }) => attempts).filter(({ outcome }) => outcome === 'ok')
  const callbacks = await callbacksOf(run)
  t.equal(callbacks.length, sent.length, 'each message once')
  t.equal(
    callbacks.reduce((sum, { timesSeen }) => sum + timesSeen, 0),
    deliveries.length,
    'every delivery counted',
  )
}

async function allSucceed(t: Test, run: Run): Promise<void> {
  t.equal(run.answer.status, 202)
  const count = run.iccids.length
  t.match(await settled(run), {
    body: { status: 'succeeded', overdue: false, counts: { targets: count, succeeded: count } },
  })
  await keptAsSent(t, run)
  const calledBack = (await targetsOf(run)).find(({ source }) => source === 'callback')
  const { body } = await get(`/v1/profiles/${calledBack.iccid}`)
  t.match(body, { state: 'ACTIVE', lastResult: { requestId: run.requestId, result: 'succeeded' } })
}

t.test('early', async t => {
  behave({ early: 1, answerAfterMs: 50 })
  const run = await activate()
  await allSucceed(t, run)
  t.ok(sentOf(run).every(({ marks }) => marks.includes('early')))
})

t.test('late', async t => {
  behave({ late: 0.4, lateAfterMs: 3_000_000 })
  const run = await activate()
  const before = await until(
    () => activationOf(run),
    ({ body }) => body.counts.succeeded > 0 && body.status === 'partial',
  )
  t.match(before.body, { status: 'partial', settledAt: null })
  await allSucceed(t, run)
})

t.test('never', async t => {
  behave({ never: 0.5 })
  const run = await activate()
  await allSucceed(t, run)
  const withheld = sentOf(run).filter(({ outcome }) => outcome === 'withheld').length
  const bySource = Object.groupBy(await targetsOf(run), ({ source }) => source)
  t.ok(withheld > 0)
  t.match(
    { poll: bySource.poll?.length, callback: bySource.callback?.length },
    { poll: withheld, callback: 10 - withheld },
  )
})

t.test('twice', async t => {
  behave({ twice: 1 })
  const run = await activate()
  await allSucceed(t, run)
  const callbacks = await callbacksOf(run)
  t.ok(callbacks.every(({ timesSeen, highestCallbackCount }) => timesSeen === 2 && highestCallbackCount === 2))
  t.equal((await resultsOf(run)).filter(({ to }) => to.result === 'succeeded').length, 10, 'one effect each')
})

t.test('shuffled', async t => {
  behave({ shuffled: true })
  await allSucceed(t, await activate())
})

t.test('warning', async t => {
  behave({ warning: 1, finalAfterWarningMs: 100 })
  const run = await activate(5)
  await allSucceed(t, run)
  const steps = (await resultsOf(run)).filter(({ iccid }) => iccid === run.iccids[0]).map(({ to }) => to.result)
  t.strictSame(steps, ['warning', 'succeeded'])
})

t.test('fault', async t => {
  behave({ fault: 0.5, faultCode: 'REQUEST_FAILED.InvalidEid' })
  const run = await activate()
  const { body } = await settled(run)
  await keptAsSent(t, run)
  const failed = (await targetsOf(run)).filter(({ result }) => result === 'failed')
  t.match(body, { status: 'mixed', counts: { failed: failed.length, succeeded: 10 - failed.length } })
  t.ok(failed.length > 0 && failed.every(({ faultCode }) => faultCode.endsWith('REQUEST_FAILED.InvalidEid')))
})

t.test('contradict', async t => {
  behave({ contradict: 1 })
  const run = await activate(2)
  await keptAsSent(t, run)
  t.match(await activationOf(run), { body: { status: 'conflict', counts: { conflict: 2 } } })
})

t.test('address fault', async t => {
  behave({ addressFault: 1 })
  const run = await activate(2)
  await allSucceed(t, run)
  const { body } = await get(`/v1/profiles/${run.iccids[0]}`)
  t.match(body, { state: 'ACTIVE', addressUpdate: { status: 'EXECUTED_FAILURE' } })
})

t.test('old password after a rotation', async t => {
  behave({}, 'password-1')
  behave({ oldPassword: 0.5, oldPasswordForMs: 20_000_000 })
  const refused = carrier.state().callbacks.refused
  const run = await activate(20)
  await allSucceed(t, run)
  const old = sentOf(run).filter(({ attempts }) => attempts[0]?.credentials === 'previous').length
  t.ok(old > 0 && old < 20, `${old} of 20 with the old one`)
  t.equal(carrier.state().callbacks.refused, refused, 'none was refused')
})

for (const retryRefused of ['documented', 'observed'] as const) {
  t.test(`wrong password, put right before the ${retryRefused} retry`, async t => {
    // One that is unanswered for a moment is not sent again meanwhile: the observed carrier stops after two.
    const behaviour = { retryRefused, retryUnansweredAfterMs: 0, timeScale: 0.002 }
    behave(behaviour, 'never-ours')
    const earlier = carrier.ledger().length
    const statuses = () =>
      carrier
        .ledger()
        .slice(earlier)
        .flatMap(({ attempts }) => attempts.map(({ status }) => status))
    // The observed carrier comes only once more, 1.26 s after it was refused, perhaps before we have its first answer.
    const activated = activate(1)
    await until(statuses, known => known.includes(403))
    behave(behaviour)
    const run = await activated
    // a poll may tell the result before the carrier comes again
    t.match(await settled(run), { body: { status: 'succeeded' } })
    const known = await until(statuses, known => known.at(-1) === 200)
    t.ok(known.includes(403) && known.at(-1) === 200, `answered with ${known.join(', ')}`)
    await keptAsSent(t, run)
  })
}

t.test('unanswered in time, so sent again beside the first', async t => {
  behave({ retryUnansweredAfterMs: 1, timeScale: 1 })
  const run = await activate(20)
  await allSucceed(t, run)
  t.ok(sentOf(run).some(({ attempts }) => attempts.length === 2))
})

t.test('burst', async t => {
  behave({ callbackSpreadMs: 0, callbackAfterMs: 0, twice: 0.1, shuffled: true })
  await allSucceed(t, await activate(500))
})

t.test('expired sessions', async t => {
  behave()
  await allSucceed(t, await activate(2))
  carrier.expireSessions()
  await allSucceed(t, await activate(2))
})

for (const refuseWith of ['unified', 'digits', 'gateway', 'xml', 'oauth'] as const) {
  t.test(`refused in the ${refuseWith} form`, async t => {
    behave({ refuse: 1, refuseOn: 'actions', refuseWith })
    const count = async () => (await get('/v1/activations?limit=1000')).body.items.length
    const before = await count()
    const { answer } = await activate(2)
    t.ok(answer.status >= 400, `${answer.status}`)
    t.match(answer.body, { errorCode: /./, errorMessage: /./ })
    t.equal(await count(), before, 'nothing is recorded')
  })
}

t.test('lost answer', async t => {
  behave({ loseAnswer: 1, callbackAfterMs: 100 })
  const run = await activate(3)
  t.match(run.answer, { status: 202, body: { status: 'unknown', requestId: /^submission-/ } })
  await makeSentOlder(service)
  await until(
    () => service.sql('select from results join activations on id = activation_id where recorded_at is null'),
    rows => rows.length === 3,
  )
  await makeUnclaimedOlder(service)
  const { body } = await settled(run)
  t.match(body, { status: 'succeeded', counts: { targets: 3, succeeded: 3 } })
  t.not(body.requestId, run.requestId, 'its callbacks have told its name')
})
