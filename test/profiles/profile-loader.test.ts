import { sql } from 'kysely'
import t from 'tap'
import { inTransaction } from '../../src/database/transaction.ts'
import { type Answer, createProfileLoader } from '../../src/profiles/profile-loader.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, takeTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'

t.test('a flood of polls of single devices is a few queries, and each gets its own answer', async t => {
  const service = await takeTestService(t)
  const devices = Array.from({ length: 20 }, (_, n) => device(n))
  await Promise.all(devices.map((ids, n) => service.callback(makeCallback({ requestId: `request-${n}`, ...ids }))))
  const { db, cost } = watchQueries(t, service.databaseUrl)
  const loader = createProfileLoader(() => db)

  const { queries } = await cost(async () => {
    const polls = Array.from({ length: 300 }, async (_, n) => {
      const { iccid, eid, imei } = device(n % 25)
      const known = n % 25 < 20 ? iccid : undefined
      const found = await Promise.all([
        loader.profile(iccid, '*').then(iccidIn),
        loader.device('eid', eid, '*').then(iccidIn),
        loader.device('imei', imei, '*').then(iccidIn),
        loader.device('iccid', iccid, [account, other]).then(iccidIn),
      ])
      t.strictSame(found, [known, known, known, known])
      t.equal(await loader.device('iccid', iccid, [other]), null, 'who sees other accounts shares nothing')
    })
    await Promise.all(polls)
  })
  t.ok(queries <= 50, `1,500 questions were ${queries} queries`)
})

function iccidIn(answer: Answer | null): string | undefined {
  return answer === null ? undefined : /"iccid":"(\d+)"/.exec(answer.body)?.[1]
}

/** Not only whether an answer still holds. */
function isWhole(text: string): boolean {
  return /\b[dp]\.\*,/.test(text.split(/\)\s+select/).at(-1) ?? '')
}

t.test('what was answered is not read anew while it holds, and never answered when it does not', async t => {
  const service = await takeTestService(t)
  const { iccid, eid } = device(1)
  const { db, cost } = watchQueries(t, service.databaseUrl)
  const loader = createProfileLoader(() => db)
  const ask = async () => {
    const answers: (Answer | null)[] = []
    const { texts } = await cost(async () => {
      answers.push(await loader.profile(iccid, '*'), await loader.device('eid', eid, '*'))
    })
    const bodies = answers.map(answer => (answer === null ? null : JSON.parse(answer.body)))
    return { profile: bodies[0], device: bodies[1], tags: answers.map(answer => answer?.tag), texts }
  }

  t.match(await ask(), { profile: null, device: null })
  await service.callback(makeCallback({ requestId: 'first', ...device(1) }))
  const first = await ask()
  t.match(first, { profile: { iccid }, device: { profiles: [{ iccid, lastResult: { operation: 'activate' } }] } })
  t.strictSame(first.texts.map(isWhole), [true, true])
  const second = await ask()
  t.strictSame({ ...second, texts: [] }, { ...first, texts: [] })
  t.strictSame(second.texts.map(isWhole), [false, false], 'it was asked only whether that still holds')

  const steps: [string, () => Promise<unknown>, object][] = [
    [
      'a callback changed it',
      () => service.callback(makeCallback({ requestId: 'second', ...device(1), state: 'SUSPEND' })),
      { profile: { state: 'SUSPEND' }, device: { profiles: [{ state: 'SUSPEND' }] } },
    ],
    [
      'its activation was recorded, and is another operation',
      () => service.record('second', [device(1)], { operation: 'enable' }),
      {
        profile: { lastResult: { operation: 'enable' } },
        device: { profiles: [{ lastResult: { operation: 'enable' } }] },
      },
    ],
    [
      'its secret was erased',
      () => service.sql('update profiles set credential_callback_id = null'),
      { profile: { hasCredential: false }, device: { profiles: [{ hasCredential: false }] } },
    ],
    [
      'the device got another profile',
      () => service.callback(makeCallback({ requestId: 'third', ...device(2), eid })),
      { profile: { iccid }, device: { profiles: [{ iccid }, { iccid: device(2).iccid }] } },
    ],
    ['it is gone', () => service.sql('delete from profiles'), { profile: null, device: null }],
  ]
  let tags = second.tags
  for (const [name, change, expected] of steps) {
    t.match(await ask(), { tags }, 'before')
    await change()
    const answers = await ask()
    t.match(answers, expected, name)
    t.notOk(answers.tags.includes(tags[1]), name)
    tags = answers.tags
  }
})

t.test('polls through the door at the same time are each answered with their own device', async t => {
  const service = await takeTestService(t)
  const numbers = Array.from({ length: 60 }, (_, n) => n)
  await Promise.all(
    numbers.slice(0, 30).map(n => service.callback(makeCallback({ requestId: `request-${n}`, ...device(n) }))),
  )
  const answers = await Promise.all(numbers.map(n => service.get(`/v1/devices/eid/${device(n).eid}`)))
  for (const [n, { status, body }] of answers.entries()) {
    if (n < 30) t.match(body, { eid: device(n).eid, profiles: [{ iccid: device(n).iccid }] })
    else t.equal(status, 404)
  }
})

t.test('an identifier that goes on to a device of the same transaction names that one', async t => {
  const service = await takeTestService(t)
  const [one, other] = [device(1), device(2)]
  for (const ids of [one, other]) await service.callback(makeCallback({ requestId: 'both', ...ids }))
  await service.sql(`update profiles set mdn = '5550001111',
    confirmed_at = confirmed_at + case when iccid = '${one.iccid}' then interval '1 second' else interval '0' end`)
  const { db } = watchQueries(t, service.databaseUrl)
  const loader = createProfileLoader(() => db)
  const ask = async () => iccidIn(await loader.device('mdn', '5550001111', '*'))
  t.equal(await ask(), one.iccid)
  await service.sql(`update profiles set mdn = '5550002222' where iccid = '${one.iccid}'`)
  t.equal(await ask(), other.iccid)
})

t.test('a row that another transaction of the same number wrote is not taken for the one that was lost', async t => {
  const service = await takeTestService(t)
  const { iccid } = device(1)
  await service.callback(makeCallback({ requestId: 'one', ...device(1) }))
  const { db } = watchQueries(t, service.databaseUrl)
  // As on a standby that was promoted without the last transactions: here one of them writes twice.
  await inTransaction(db, async trx => {
    const loader = createProfileLoader(() => trx)
    const write = async (state: string) => {
      await sql`update profiles set state = ${state}, confirmed_at = confirmed_at + interval '1 second'`.execute(trx)
      return (await loader.profile(iccid, '*'))?.body
    }
    t.match(await write('LOST'), /"LOST"/)
    t.match(await write('KEPT'), /"KEPT"/)
  })
})

t.test('answers are kept for a token of very many accounts as for any other', async t => {
  const service = await takeTestService(t)
  const devices = Array.from({ length: 30 }, (_, n) => device(n))
  await Promise.all(devices.map((ids, n) => service.callback(makeCallback({ requestId: `request-${n}`, ...ids }))))
  const accounts = [account, ...Array.from({ length: 40_000 }, (_, n) => `${String(n).padStart(10, '0')}-00009`)]
  const { db, cost } = watchQueries(t, service.databaseUrl)
  const loader = createProfileLoader(() => db)
  const askAll = () => cost(() => Promise.all(devices.map(({ eid }) => loader.device('eid', eid, accounts))))
  t.ok((await askAll()).texts.some(isWhole))
  t.strictSame((await askAll()).texts.filter(isWhole), [])
})
