import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { openSpool } from '../../src/receiving/spool.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { until } from '../fixtures/carrier.ts'
import { createTestDatabase } from '../fixtures/database.ts'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService } from '../fixtures/service.ts'
import { startLink } from './link.ts'

t.test('a delivery whose commit is answered by nothing but a broken link is counted once', async t => {
  const link = await startLink(await createTestDatabase(t))
  t.teardown(() => link.stop())
  const service = await startTestService(t, { DATABASE_URL: link.url })
  const seen = async (id: string) =>
    (await service.sql('select times_seen as seen from callbacks where id = $1', [id]))[0].seen
  const cutOnce = async (body: object) => {
    const before = link.commitsCut()
    link.cutAfterCommits(1)
    const answer = await service.callback(body, { once: true })
    t.equal(link.commitsCut(), before + 1)
    t.equal(answer.status, 200)
    return answer.body.callbackId
  }

  // The commit of some other work may be the one that is cut; not every time.
  for (let n = 0; n < 5; n += 1) {
    const named = makeCallback({ requestId: `counted-${n}`, ...device(n) })
    const id = await cutOnce(named)
    t.equal(await seen(id), 1)
    t.match(await service.callback(named), { body: { callbackId: id, verdict: 'repeated' } })
    t.equal(await seen(id), 2, 'sent again, it is counted')

    const { requestId: _, ...nameless } = makeCallback({ requestId: '', ...device(n) }) as { requestId: string }
    t.equal(await seen(await cutOnce(nameless)), 1, 'one that names no request, too')
  }
})

t.test(
  'a delivery that is committed, and still lies in the spool of a process that was killed, is counted once',
  async t => {
    const databaseUrl = await createTestDatabase(t)
    const dataDir = await mkdtemp(path.join(tmpdir(), 'counted-'))
    t.teardown(() => rm(dataDir, { recursive: true, force: true }))
    const first = await startTestService(t, { DATABASE_URL: databaseUrl })
    const body = makeCallback({ requestId: 'once', ...device(1) })
    const { callbackId: id } = (await first.callback(body)).body
    const spool = openSpool({ dataDir, sealer: createSealer(Buffer.alloc(32, 7)), maxBytes: 1e6 })
    const bytes = Buffer.from(JSON.stringify(body))
    await spool.add({ id, accountName: account, serviceName: 'CarrierService', bytes })
    spool.close()

    const next = await startTestService(t, { DATABASE_URL: databaseUrl, DATA_DIR: dataDir })
    await until(
      async () => (await next.get('/metrics')).body,
      metrics => /^thingspace_spool_drained_total 1$/m.test(metrics),
    )
    const seen = () => next.sql('select id, times_seen from callbacks')
    t.strictSame(await seen(), [{ id, times_seen: 1 }])
    await next.callback(body)
    t.strictSame(await seen(), [{ id, times_seen: 2 }], 'sent again, it is counted')
  },
)
