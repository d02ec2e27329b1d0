import t from 'tap'
import type { Api } from '../../src/commands/demo-api.ts'
import { compare } from '../../src/commands/demo-compare.ts'
import { tellScenario } from '../../src/commands/demo-scenario.ts'
import type { LedgerEntry } from '../../src/simulator/ledger.ts'

const [, , step] = tellScenario(1)
const iccid = step?.profiles[0]?.iccid ?? ''
const requestId = 'request-1'
const faultCode = 'UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive'

const attempt = { callbackCount: 1, credentials: 'current', sentAt: '', tookMs: 1, status: 200, outcome: 'ok' } as const
const sent: LedgerEntry = {
  id: 1,
  requestId,
  accountName: 'account',
  serviceName: 'CarrierService',
  says: 'fault',
  outcome: 'ok',
  why: null,
  marks: [],
  attempts: [attempt, { ...attempt, callbackCount: 2 }],
  body: { requestId, deviceIds: [{ kind: 'Iccid', id: iccid }], faultResponse: { faultcode: faultCode } },
}
const callback = {
  verdict: 'applied',
  timesSeen: 2,
  highestCallbackCount: 2,
  result: 'failed',
  deviceIds: [{ kind: 'iccid', id: iccid }],
}
const profile = {
  iccid,
  state: null,
  profileStatus: null,
  profileRole: null,
  lastResult: { requestId, result: 'failed', faultCode },
}
const counts = { targets: 1, pending: 0, warning: 0, succeeded: 0, failed: 1, conflict: 0 }
const activation = { status: 'failed', settledAt: '', counts }

async function missingIn(answers: { callbacks?: object[]; profile?: object | null; activation?: object | null }) {
  const answer = (path: string): unknown => {
    if (path.includes('/callbacks')) return { items: answers.callbacks ?? [callback] }
    if (path.startsWith('/v1/profiles/')) return 'profile' in answers ? answers.profile : profile
    return 'activation' in answers ? answers.activation : activation
  }
  const api = { get: async (path: string) => ({ changed: true, body: answer(path) }) } as unknown as Api
  if (step === undefined) throw new Error('the scenario has a third step')
  return (await compare(api, [sent], [{ step, requestId, activation: null }])).missing
}

t.test('what the API says as the carrier sent it is not missing', async t => {
  t.strictSame(await missingIn({}), [])
})

t.test('whatever the API does not say is named', async t => {
  const cases: [string, Parameters<typeof missingIn>[0], RegExp][] = [
    ['a callback that was not kept', { callbacks: [] }, /accepted, and is not among the stored/],
    ['one that was kept twice', { callbacks: [callback, callback] }, /stored 2 times/],
    [
      'a repeat that was not counted',
      { callbacks: [{ ...callback, timesSeen: 1 }] },
      /came 2 times, and was counted 1/,
    ],
    ['an unknown profile', { profile: null }, /does not know the profile/],
    ['another state', { profile: { ...profile, state: 'ACTIVE' } }, /state is ACTIVE, the carrier sent null/],
    [
      'another result',
      { profile: { ...profile, lastResult: { ...profile.lastResult, result: 'succeeded' } } },
      /result is succeeded, the carrier sent failed/,
    ],
    ['an unknown activation', { activation: null }, /does not know the activation/],
    ['an open target', { activation: { ...activation, counts: { ...counts, failed: 0 } } }, /0 of 1 are settled/],
  ]
  for (const [name, answers, sentence] of cases) {
    const missing = await missingIn(answers)
    t.equal(missing.length, 1, name)
    t.match(missing[0], sentence, name)
  }
})
