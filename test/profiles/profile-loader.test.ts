import t from 'tap'
import { createProfileLoader } from '../../src/profiles/profile-loader.ts'
import { watchQueries } from '../fixtures/count-buffers.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService } from '../fixtures/service.ts'

const other = '0000999999-00001'

t.test('a flood of polls of single devices is a few queries, and each gets its own answer', async t => {
  const service = await startTestService(t)
  const devices = Array.from({ length: 20 }, (_, n) => device(n))
  await Promise.all(devices.map((ids, n) => service.callback(makeCallback({ requestId: `request-${n}`, ...ids }))))
  const { db, cost } = watchQueries(t, service.databaseUrl)
  const loader = createProfileLoader(() => db)

  const { queries } = await cost(async () => {
    const polls = Array.from({ length: 300 }, async (_, n) => {
      const { iccid, eid, imei } = device(n % 25)
      const known = n % 25 < 20 ? iccid : undefined
      const found = await Promise.all([
        loader.profile(iccid, '*').then(row => row?.iccid),
        loader.device('eid', eid, '*').then(rows => rows[0]?.iccid),
        loader.device('imei', imei, '*').then(rows => rows[0]?.iccid),
        loader.device('iccid', iccid, [account, other]).then(rows => rows[0]?.iccid),
      ])
      t.strictSame(found, [known, known, known, known])
      t.strictSame(await loader.device('iccid', iccid, [other]), [], 'who sees other accounts shares nothing')
    })
    await Promise.all(polls)
  })
  t.ok(queries <= 12, `1,500 questions were ${queries} queries`)

  await service.callback(makeCallback({ requestId: 'later', ...device(1), state: 'SUSPEND' }))
  t.match(await loader.profile(device(1).iccid, '*'), { state: 'SUSPEND' }, 'nothing is kept from before')
  const again = await cost(() => loader.profile(device(1).iccid, '*'))
  t.equal(again.queries, 1)
})

t.test('polls through the door at the same time are each answered with their own device', async t => {
  const service = await startTestService(t)
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
