import t from 'tap'
import { device } from '../fixtures/make-callback.ts'
import { account, type TestService, takeTestService } from '../fixtures/service.ts'

const devices = JSON.stringify([{ deviceIds: [{ kind: 'iccid', id: device(1).iccid }] }])

t.test('an activation inserted twice by plain SQL, without a time, is the same one', async t => {
  const service = await takeTestService(t)
  await insert(service, 'twice')
  await insert(service, 'twice')
  t.strictSame(await problems(service), [null, null])
})

t.test('an activation recorded through the API and then inserted by plain SQL is the same one', async t => {
  const service = await takeTestService(t)
  const { body } = await service.record('both-ways', [{ iccid: device(1).iccid }])
  await insert(service, 'both-ways')
  t.strictSame(await problems(service), [null])
  t.match(await service.get('/v1/activations/both-ways'), { body: { submittedAt: body.submittedAt } })
})

t.test('an activation inserted without a time was submitted when it was inserted', async t => {
  const service = await takeTestService(t)
  await insert(service, 'timeless')
  await problems(service)
  const [{ inserted_at }] = await service.sql('select inserted_at from outgoing_activations')
  t.match(await service.get('/v1/activations/timeless'), { body: { submittedAt: inserted_at.toISOString() } })
})

async function insert(service: TestService, requestId: string): Promise<void> {
  const statement = 'insert into outgoing_activations (request_id, account_name, devices) values ($1, $2, $3)'
  await service.sql(statement, [requestId, account, devices])
}

/** Of every row, in order, once all have been looked at. */
async function problems(service: TestService): Promise<(string | null)[]> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const rows = await service.sql('select problem, taken_at from outgoing_activations order by id')
    if (rows.every(({ taken_at }) => taken_at !== null)) return rows.map(({ problem }) => problem)
    if (Date.now() > deadline) throw new Error('a row of outgoing_activations was never taken')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
