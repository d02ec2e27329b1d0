import { once } from 'node:events'
import net from 'node:net'
import pg from 'pg'
import t from 'tap'
import { device, makeCallback } from '../fixtures/make-callback.ts'
import { account, send, startTestService } from '../fixtures/service.ts'
import { listener } from './stage.ts'

const path = `/callbacks/${account}/CarrierService`

t.test(
  'more than can be stored in time are refused before their body is read, and none that was taken is lost',
  async t => {
    const service = await startTestService(t, {
      THINGSPACE_ACCOUNT: account,
      CALLBACK_USERNAME: listener.username,
      CALLBACK_PASSWORD: listener.password,
    })
    const post = (n: number) =>
      send(service.url + path, 'POST', { body: makeCallback({ requestId: `over-${n}`, ...device(n), ...listener }) })
    const holder = new pg.Client({ connectionString: service.databaseUrl })
    await holder.connect()
    t.teardown(() => holder.end())
    await holder.query('begin; lock table callbacks in access exclusive mode')
    const flood = Promise.all(Array.from({ length: 1_300 }, (_, n) => post(n)))

    const answer = await refusedUnread(new URL(service.url))
    t.match(answer, /^HTTP\/1.1 503 /)
    t.match(answer, /retry-after: 1\r\n/)
    t.match(answer, /x-request-id: \S+\r\n/)
    t.match(answer, /\r\n\r\n\{"errorCode":"503","errorMessage":"[^"]+"\}$/)
    const stranger = await send(`${service.url}/callbacks/0000999999-00001/CarrierService`, 'POST', { body: {} })
    t.match(stranger, { status: 403 }, 'a stranger hears the same as ever')

    await holder.query('rollback')
    const taken = (await flood).flatMap(({ status }, n) => (status === 200 ? [`over-${n}`] : []))
    const refused = (await flood).filter(({ status }) => status === 503)
    t.ok(refused.length >= 300 && taken.length + refused.length === 1_300)
    const rows = await service.sql('select request_id from callbacks c join activations a on a.id = c.activation_id')
    const stored = new Set(rows.map(row => row.request_id))
    t.strictSame(
      taken.filter(requestId => !stored.has(requestId)),
      [],
    )
    t.match(await service.callback(makeCallback({ requestId: 'over-0', ...device(0), ...listener })), { status: 200 })
  },
)

/** Asks with nothing but headers, again and again, until that is refused. */
async function refusedUnread({ hostname, port }: URL): Promise<string> {
  for (let tries = 0; tries < 400; tries += 1) {
    const socket = net.connect(Number(port), hostname)
    socket.write(`POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 1000\r\n\r\n`)
    const answered = once(socket, 'data')
    const [answer] = await Promise.race([answered, new Promise<[null]>(resolve => setTimeout(resolve, 25, [null]))])
    answered.catch(() => undefined)
    socket.destroy()
    if (answer !== null) return String(answer)
  }
  throw new Error('it was never refused')
}
