import t from 'tap'
import { emptyDatabase } from '../fixtures/empty-database.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { type Answer, type Row, startTestService } from '../fixtures/service.ts'

const pairs = Number(process.env.RACE_PAIRS ?? 100)
const rounds = Number(process.env.RACE_ROUNDS ?? 1)
t.setTimeout(120_000 + 40 * pairs + 4_000 * rounds)

const one = await startTestService(t)
const other = await startTestService(t, { DATABASE_URL: one.databaseUrl })
const { sql } = one
t.beforeEach(() => emptyDatabase(sql))

t.test('activations and callbacks that race each other through two replicas never miss', async t => {
  await inParallel(pairs, 60, async n => {
    const requestId = `race-${n}`
    const record = () => untilTaken(() => (n % 2 === 0 ? one : other).record(requestId, [device(n)]))
    const callback = () => untilTaken(() => other.callback(makeCallback({ requestId, ...device(n) })))
    // At once, and with either a little ahead of the other.
    if (n % 3 === 0) return together(record, callback)
    const [first, second] = n % 3 === 1 ? [record, callback] : [callback, record]
    const started = first()
    await new Promise(resolve => setTimeout(resolve, n % 7))
    return together(() => started, second)
  })
  t.strictSame(
    await sql('select status, targets, succeeded, count(*)::int from activations group by 1, 2, 3'),
    [{ status: 'succeeded', targets: 1, succeeded: 1, count: pairs }],
    'no activation waits for a callback that came',
  )
  t.strictSame(await sql('select verdict, count(*)::int from callbacks group by 1'), [
    { verdict: 'applied', count: pairs },
  ])
  t.strictSame(await sql('select count(*)::int from results where target_number is null'), [{ count: 0 }])
  t.strictSame(
    await sql(`select kind, count(*)::int from changes where kind <> 'activation' group by 1 order by 1`),
    [
      { kind: 'profile', count: pairs },
      { kind: 'result', count: pairs },
    ],
    'each has had its effect once',
  )
  for (const n of [0, 1, 2]) {
    t.match(await one.get(`/v1/activations/race-${n}/targets`), {
      body: { items: [{ result: 'succeeded', callbacks: 1 }] },
    })
  }
})

t.test('the same callback 200 times at once through two replicas has one effect', async t => {
  for (let round = 0; round < rounds; round += 1) {
    const requestId = `storm-${round}`
    const ids = device(round)
    const record = () => untilTaken(() => one.record(requestId, [ids, device(90_000)]))
    if (round % 3 === 0) await record()
    const sends = Array.from({ length: 200 }, (_, n) => () => {
      const callback = makeCallback({ requestId, ...ids, callbackCount: (n % 4) + 1 })
      return untilTaken(() => (n % 2 === 0 ? one : other).callback(callback))
    })
    if (round % 3 === 1) sends.splice(100, 0, record)
    const answers = await Promise.all(sends.map(send => send()))
    if (round % 3 === 2) await record()

    const told = answers.filter(({ body }) => body.callbackId !== undefined)
    t.equal(told.length, 200, 'all are acknowledged')
    t.equal(new Set(told.map(({ body }) => body.callbackId)).size, 1, 'as one callback')
    t.ok(told.filter(({ body }) => body.verdict !== 'repeated').length <= 1, 'at most one was the first')
    const [callback] = (await other.get(`/v1/callbacks?requestId=${requestId}`)).body.items
    t.match(callback, { verdict: 'applied', highestCallbackCount: 4 })
    t.ok(callback.timesSeen >= 200, `seen ${callback.timesSeen} times`)
    t.match(await one.get(`/v1/activations/${requestId}`), {
      body: { counts: { targets: 2, pending: 1, succeeded: 1 } },
    })
    t.match(await one.get(`/v1/profiles/${ids.iccid}`), { body: { version: 1 } })
    const about = [requestId]
    t.match(
      await sql(
        'select count(*)::int from results s join activations a on a.id = s.activation_id where request_id = $1',
        about,
      ),
      [{ count: 1 }],
    )
    t.match(await sql(`select count(*)::int from changes where kind = 'result' and request_id = $1`, about), [
      { count: 1 },
    ])
  }
})

t.test('replicas that hear of one new profile at once, from different activations, lose nothing', async t => {
  const activations = [0, 1, 2, 3, 4, 5]
  for (let round = 0; round < 5 * rounds; round += 1) {
    const ids = device(round)
    const nameOf = (n: number) => `profile-${round}-${n}`
    const submittedAt = (n: number) => new Date(Date.UTC(2026, 0, 1, 0, n)).toISOString()
    const record = (n: number) =>
      untilTaken(() => (n % 2 === 0 ? one : other).record(nameOf(n), [ids], { submittedAt: submittedAt(n) }))
    if (round % 2 === 0) await Promise.all(activations.map(record))
    await Promise.all(
      activations.map(n => {
        const said = { requestId: nameOf(n), ...ids, servicePlan: `PLAN_${n}` }
        // The newest but one fails, so that a lost message would show.
        const callback = n === 4 ? makeFault(said) : makeCallback(said)
        return untilTaken(() => ((n + round) % 2 === 0 ? one : other).callback(callback))
      }),
    )
    if (round % 2 === 1) await Promise.all(activations.map(record))

    const { body: profile } = await one.get(`/v1/profiles/${ids.iccid}`)
    t.match(profile, { servicePlan: 'PLAN_5', lastResult: { requestId: nameOf(5), result: 'succeeded' } })
    t.match(await sql('select count(*)::int from results where iccid = $1', [ids.iccid]), [
      { count: activations.length },
    ])
    for (const n of activations) {
      const result = n === 4 ? 'failed' : 'succeeded'
      t.match(await other.get(`/v1/activations/${nameOf(n)}`), { body: { status: result, counts: { [result]: 1 } } })
    }
    const history = (await one.get(`/v1/profiles/${ids.iccid}/history?limit=1000`)).body.items.reverse()
    t.equal(profile.version, history.length, 'every change has its version')
    t.equal(planAfter(history), 'PLAN_5', 'the history leads to what is shown')
    t.notOk(
      history.slice(1).some((change: Row) => change.from === null),
      'it was new once',
    )
  }
})

/** Each change goes on where the one before ended. */
function planAfter(history: Row[]): string {
  return history.reduce((plan, { from, to }) => {
    if (from?.servicePlan !== undefined && from.servicePlan !== plan) return `a gap after ${plan}`
    return to.servicePlan ?? plan
  }, null)
}

/** As the carrier does: 503 means again. Anything else that is not 2xx is a failure. */
async function untilTaken(send: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; tries < 60; tries += 1) {
    const answer = await send()
    if (answer.status < 300) return answer
    if (answer.status !== 503) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error('never taken')
}

async function together(...sends: (() => Promise<unknown>)[]): Promise<void> {
  await Promise.all(sends.map(send => send()))
}

async function inParallel(count: number, atOnce: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
