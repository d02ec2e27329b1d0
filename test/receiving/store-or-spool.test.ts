import t from 'tap'
import { watchOutage } from '../../src/receiving/outage.ts'
import type { Spool } from '../../src/receiving/spool.ts'
import { StoreRefused, StoreUnavailable } from '../../src/receiving/store-errors.ts'
import { storeOrSpool } from '../../src/receiving/store-or-spool.ts'

const message = { id: '01a209e4-88fd-7081-b146-8ea9b31f82b7' } as Parameters<ReturnType<typeof storeOrSpool>>[0]

t.test(
  'a callback that the database refuses for itself is no outage, one that is not committed in time is when no other one was',
  async t => {
    let now = 0
    const outage = watchOutage(() => now)
    const spooled: string[] = []
    const take = (error: Error) =>
      storeOrSpool({
        writer: { store: () => Promise.reject(error) },
        ownSpool: () => ({ add: async ({ id }) => void spooled.push(id) }) as Pick<Spool, 'add'> as Spool,
        outage,
        onSpooled: () => undefined,
        onFailure: () => undefined,
      })(message)

    await t.rejects(take(new StoreRefused('refused')), StoreRefused)
    t.strictSame([spooled.length, outage.isOn()], [0, false])
    outage.ended()
    t.match(await take(new StoreUnavailable('late')), { callbackId: message.id, verdict: 'spooled' })
    t.strictSame([spooled.length, outage.isOn()], [1, false], 'others are committed: somebody holds its row')
    now += 1_800
    t.match(await take(new StoreUnavailable('late')), { callbackId: message.id, verdict: 'spooled' })
    t.strictSame([spooled.length, outage.isOn()], [2, true])
  },
)
