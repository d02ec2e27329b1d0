import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { drainSpool } from '../../src/receiving/drain-spool.ts'
import { watchOutage } from '../../src/receiving/outage.ts'
import { openSpool } from '../../src/receiving/spool.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { account } from '../fixtures/account.ts'

t.test('what can not be taken off the disk, which is full, holds up nothing behind it', async t => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'drain-test-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true }))
  const spool = openSpool({ dataDir, sealer: createSealer(Buffer.alloc(32, 7)), maxBytes: 10_000_000 })
  const bytes = Buffer.from('{}')
  const ids = Array.from({ length: 700 }, (_, n) => `id-${n}`)
  await Promise.all(ids.map(id => spool.add({ id, accountName: account, serviceName: 'X', bytes })))

  const steps = new EventEmitter()
  const stored = new Set<string>()
  let isFull = true
  const failures: unknown[] = []
  const drain = drainSpool({
    spool: {
      ...spool,
      remove(places) {
        if (isFull) throw new Error('database or disk is full')
        spool.remove(places)
      },
    },
    writer: {
      async store({ id }) {
        stored.add(id)
        if (stored.size === ids.length) steps.emit('all stored')
        return { callbackId: id, verdict: 'applied', unknownFields: [] }
      },
    },
    outage: watchOutage(),
    probe: async () => undefined,
    onDrained: () => {
      if (spool.depth() === 0) steps.emit('all removed')
    },
    onUnopened: () => undefined,
    onFailure: error => failures.push(error),
  })
  drain.start()
  t.teardown(async () => {
    await drain.stop()
    spool.close()
  })
  await once(steps, 'all stored')
  t.equal(spool.depth(), ids.length, 'all of it is on the disk still')
  t.ok(failures.length > 0, 'and that is told')
  isFull = false
  await once(steps, 'all removed')
})
