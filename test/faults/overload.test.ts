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
    const holder = new pg.Client({ connectionString: service.databaseUrl })
    await holder.connect()
    t.teardown(() => holder.end())
    await holder.query('begin; lock table callbacks in access exclusive mode')
    const flood = keepSending(new URL(service.url))

    const answer = await refusedUnread(new URL(service.url))
    t.match(answer, /^HTTP\/1.1 503 /)
    t.match(answer, /retry-after: 1\r\n/)
    t.match(answer, /x-request-id: \S+\r\n/)
    t.match(answer, /\r\n\r\n\{"errorCode":"503","errorMessage":"[^"]+"\}$/)
    const stranger = await send(`${service.url}/callbacks/0000999999-00001/CarrierService`, 'POST', { body: {} })
    t.match(stranger, { status: 403 }, 'a stranger hears the same as ever')

    await holder.query('rollback')
    const statuses = await flood.end()
    const taken = [...statuses].flatMap(([n, status]) => (status === 200 ? [`over-${n}`] : []))
    const refused = [...statuses.values()].filter(status => status === 503)
    t.ok(taken.length >= 1, `${taken.length} taken, ${refused.length} refused`)
    t.equal(taken.length + refused.length, flood.sent())
    const rows = await service.sql('select request_id from callbacks c join activations a on a.id = c.activation_id')
    const stored = new Set(rows.map(row => row.request_id))
    t.strictSame(
      taken.filter(requestId => !stored.has(requestId)),
      [],
    )
    t.match(await service.callback(makeCallback({ requestId: 'over-0', ...device(0), ...listener })), { status: 200 })
  },
)

/**
 * Callbacks one behind the other on few connections, so that nothing here keeps 1,300 from being there at once; who is
 * answered sends others, however long a slow machine takes until so many wait.
 */
function keepSending({ hostname, port }: URL) {
  const eachWay = 65
  const statuses = new Map<number, number>()
  let sent = 0
  let ended = false

  async function sendOnce(): Promise<void> {
    const numbers = Array.from({ length: eachWay }, (_, n) => sent + n)
    sent += eachWay
    const socket = net.connect(Number(port), hostname)
    socket.write(numbers.map(n => request(hostname, n)).join(''))
    let answers = ''
    for await (const bytes of socket) {
      answers += bytes
      const found = [...answers.matchAll(/HTTP\/1.1 (\d{3}) [\s\S]*?\r\n\r\n\{/g)].map(([, status]) => Number(status))
      if (found.length < eachWay) continue
      for (const [at, status] of found.entries()) statuses.set(numbers[at] ?? Number.NaN, status)
      return
    }
    throw new Error(`the connection ended after ${answers.length} characters`)
  }

  async function sendAgain(): Promise<void> {
    do {
      await sendOnce()
      await new Promise(resolve => setTimeout(resolve, 50))
    } while (!ended)
  }

  const ways = Promise.all(Array.from({ length: 1_300 / eachWay }, sendAgain))
  return {
    sent: () => sent,
    async end() {
      ended = true
      await ways
      return statuses
    },
  }
}

function request(host: string, n: number): string {
  const body = JSON.stringify(makeCallback({ requestId: `over-${n}`, ...device(n), ...listener }))
  return `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

/** Asks with nothing but headers, again and again, until that is refused. */
async function refusedUnread({ hostname, port }: URL): Promise<string> {
  for (let tries = 0; tries < 300; tries += 1) {
    const socket = net.connect(Number(port), hostname)
    socket.write(`POST ${path} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-length: 1000\r\n\r\n`)
    const answered = once(socket, 'data')
    const [answer] = await Promise.race([answered, new Promise<[null]>(resolve => setTimeout(resolve, 200, [null]))])
    answered.catch(() => undefined)
    socket.destroy()
    if (answer !== null) return String(answer)
  }
  throw new Error('it was never refused')
}
