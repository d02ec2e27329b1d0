import { once } from 'node:events'
import net from 'node:net'
import t, { type Test } from 'tap'
import { makeCallback } from '../fixtures/make-callback.ts'
import { account, startTestService, takeTestService } from '../fixtures/service.ts'

t.test('what is no clean HTTP request is answered in the one form, and its connection ends', async t => {
  const { url } = await takeTestService(t)
  const path = `/callbacks/${account}/CarrierService`
  const cases: [string, string, number][] = [
    ['two Host headers', `POST ${path} HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}`, 400],
    ['two equal Host headers', 'GET /health/live HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', 400],
    ['no Host header', 'GET /health/live HTTP/1.1\r\n\r\n', 400],
    [
      'HTTP/1.0 with Transfer-Encoding',
      `POST ${path} HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
      400,
    ],
    [
      'Content-Length and Transfer-Encoding',
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['two lengths', `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    ['a header that is none', 'GET /health/live HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n', 400],
    ['no HTTP at all', '\x16\x03\x01\x02\x00', 400],
    ['headers that are too large', `GET /health/live HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ]
  for (const [what, request, status] of cases) {
    const answer = await exchange(t, url, request)
    t.match(answer, { status, body: { errorCode: String(status), errorMessage: String } }, what)
    t.match(answer.head, /^connection: close\r?$/im, `${what}: the connection ends`)
    t.match(answer.head, /^x-request-id: \S+\r?$/im, what)
  }
})

t.test('what a request expects beside an answer is passed over, and costs no callback', async t => {
  const { url } = await takeTestService(t)
  const body = JSON.stringify(makeCallback())
  const head = `POST /callbacks/${account}/CarrierService HTTP/1.1\r\nHost: localhost\r\nConnection: close`
  const answer = await exchange(t, url, `${head}\r\nExpect: the-best\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  t.match(answer, { status: 200, body: { verdict: 'unmatched' } })
})

t.test('headers or a body that take too long are answered 408, and do not keep their connection', async t => {
  const { url } = await startTestService(t, { REQUEST_TIMEOUT: '1s' })
  const path = `/callbacks/${account}/CarrierService`
  const answers = await Promise.all([
    exchange(t, url, 'GET /health/live HTTP/1.1\r\nHost: localhost\r\nX-Slow'),
    exchange(t, url, `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`),
    exchange(t, url, ''),
  ])
  for (const answer of answers) t.match(answer, { status: 408, body: { errorCode: '408' } })
  const refused = `POST /callbacks/0/0 HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 100\r\n\r\n{`
  t.match(await exchange(t, url, refused), { status: 403, body: { errorCode: '403' } }, 'one request, one answer')
})

t.test('more connections than allowed are closed, and one that ends makes room', async t => {
  const { url, get } = await startTestService(t, { MAX_CONNECTIONS: '3' })
  const open = [await connect(t, url), await connect(t, url), await connect(t, url)]
  const refused = await connect(t, url)
  refused.on('error', () => undefined)
  await once(refused, 'close')
  for (const socket of open) {
    socket.destroy()
    await once(socket, 'close')
  }
  for (let tries = 1; ; tries += 1) {
    const answer = await get('/health/live').catch(() => null)
    if (answer !== null || tries === 500) return t.match(answer, { status: 200 })
    await new Promise(resolve => setTimeout(resolve, 20))
  }
})

interface RawAnswer {
  status: number
  head: string
  body: unknown
}

/** Sends bytes and reads until the other side ends the connection. */
async function exchange(t: Test, url: string, request: string): Promise<RawAnswer> {
  const socket = await connect(t, url)
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk))
  socket.on('error', () => undefined)
  socket.write(request, 'latin1')
  await once(socket, 'close')
  const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), head, body: body === '' ? null : JSON.parse(body) }
}

async function connect(t: Test, url: string): Promise<net.Socket> {
  const { hostname, port } = new URL(url)
  const socket = net.connect(Number(port), hostname)
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}
