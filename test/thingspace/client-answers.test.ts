import { createServer } from 'node:net'
import t from 'tap'
import { startSimulator } from '../../src/simulator/start-simulator.ts'
import { CarrierError } from '../../src/thingspace/carrier-error.ts'
import { exchange } from '../../src/thingspace/exchange.ts'
import { clientOf, credentials, failure, json, oneDevice, startCarrier } from './client-carrier.ts'

const bodies = {
  unified: { httpStatus: 400, errorCode: 'UnifiedWebService.REQUEST_FAILED.AccountNotFound' },
  digits: { httpStatus: 400, errorCode: '400', errorMessage: 'Bad request' },
  gateway: { httpStatus: 401, errorCode: '900901', kind: 'unauthorized' },
  xml: { httpStatus: 403, errorCode: '900908', errorMessage: 'Access failure' },
  oauth: { httpStatus: 400, errorCode: 'invalid_client' },
} as const

t.test('each of the error bodies is understood', async t => {
  const simulator = await startSimulator({ seed: 1 })
  t.teardown(() => simulator.close())
  for (const [refuseWith, expected] of Object.entries(bodies)) {
    simulator.settings({ refuse: 1, refuseOn: 'actions', refuseWith: refuseWith as keyof typeof bodies })
    const error = await failure(clientOf(simulator.url).activate(oneDevice))
    t.type(error, CarrierError)
    t.match(error, { kind: 'refused', outcome: 'refused', ...expected }, refuseWith)
  }
})

t.test('a refusal in no known form is still a refusal', async t => {
  for (const body of ['', 'no', '[]', 'null', '"x"', '{"errorCode":{}}', '<html>no</html>', '{"fault":7}', '{']) {
    const carrier = await startCarrier(t, { action: response => response.writeHead(404).end(body) })
    const error = await failure(clientOf(carrier.baseUrl).activate(oneDevice))
    t.match(error, { kind: 'refused', outcome: 'refused', httpStatus: 404, errorCode: null, errorMessage: null }, body)
  }
})

t.test('a refusal whose body breaks off, or has no end, is still a refusal', async t => {
  const cut = await startCarrier(t, {
    action: response => {
      response.writeHead(400, { 'content-length': '100' }).write('{"errorCode":')
      setTimeout(() => response.destroy(), 20)
    },
  })
  t.match(await failure(clientOf(cut.baseUrl).activate(oneDevice)), { kind: 'refused', outcome: 'refused' })
  const huge = await startCarrier(t, { action: response => response.writeHead(400).end(Buffer.alloc(200_000)) })
  const client = clientOf(huge.baseUrl, { maxAnswerBytes: 100_000 })
  t.match(await failure(client.activate(oneDevice)), { kind: 'refused', outcome: 'refused', errorCode: null })
})

t.test('after a 5xx or a 408 it is not known whether the activation was taken', async t => {
  for (const status of [500, 502, 503, 504]) {
    const carrier = await startCarrier(t, { action: json(status, { errorCode: String(status), errorMessage: 'x' }) })
    const error = await failure(clientOf(carrier.baseUrl).activate(oneDevice))
    t.match(error, { kind: 'unreachable', outcome: 'unknown', httpStatus: status, errorCode: String(status) })
    t.equal(carrier.called('activate'), 1, 'and it is not sent again')
  }
  const carrier = await startCarrier(t, { action: json(408, {}) })
  t.match(await failure(clientOf(carrier.baseUrl).activate(oneDevice)), { kind: 'timeout', outcome: 'unknown' })
})

t.test('too many requests say when to come again', async t => {
  const carrier = await startCarrier(t, { action: json(429, { errorCode: '429' }, { 'retry-after': '17' }) })
  t.match(await failure(clientOf(carrier.baseUrl).activate(oneDevice)), {
    kind: 'rate-limited',
    outcome: 'refused',
    retryAfterMs: 17_000,
  })
})

t.test('when to come again may be a date, which is read by the clock that made it', async t => {
  const date = 'Sun, 01 Mar 2026 10:00:00 GMT'
  for (const [later, ms] of [
    ['Sun, 01 Mar 2026 10:02:00 GMT', 120_000],
    ['Sun, 01 Mar 2026 09:00:00 GMT', 0],
    ['tomorrow', null],
    ['1.5', null],
  ] as const) {
    const carrier = await startCarrier(t, { action: json(429, {}, { 'retry-after': later, date }) })
    t.equal(((await failure(clientOf(carrier.baseUrl).activate(oneDevice))) as CarrierError).retryAfterMs, ms, later)
  }
})

t.test('a byte-order mark, or the life of a token in quotes, spoils no answer', async t => {
  const carrier = await startCarrier(t, {
    token: json(200, { access_token: 'token-1', expires_in: '3600' }),
    action: response => response.end('\ufeff{"requestId":"taken-1"}'),
  })
  t.match(await clientOf(carrier.baseUrl).activate(oneDevice), { requestId: 'taken-1' })
})

t.test('a redirect is followed by nobody', async t => {
  const elsewhere = await startCarrier(t)
  for (const status of [301, 302, 303, 307, 308]) {
    const carrier = await startCarrier(t, { action: json(status, {}, { location: `${elsewhere.baseUrl}/api/x` }) })
    const error = await failure(clientOf(carrier.baseUrl).activate(oneDevice))
    t.match(error, { kind: 'bad-answer', outcome: 'unknown', httpStatus: status, reason: 'a redirect' })
  }
  t.equal(elsewhere.calls.length, 0)
})

t.test('an answer of 1 GB is broken off, not kept', async t => {
  let sent = 0
  const carrier = await startCarrier(t, {
    action: response => {
      const chunk = Buffer.alloc(1024 * 1024, 0x20)
      const pour = () => {
        while (sent < 1024 && !response.destroyed) {
          sent++
          if (!response.write(chunk)) return response.once('drain', pour)
        }
        return response.end()
      }
      response.writeHead(200)
      pour()
    },
  })
  const before = process.memoryUsage().rss
  const error = await failure(clientOf(carrier.baseUrl, { maxAnswerBytes: 1024 * 1024 }).activate(oneDevice))
  t.match(error, { kind: 'bad-answer', outcome: 'unknown', reason: 'too large' })
  t.ok(sent < 64, `the carrier got rid of ${sent} MB`)
  t.ok(process.memoryUsage().rss - before < 200e6)
})

t.test('a 1 GB answer that is small on the wire is broken off too', async t => {
  const { createGzip } = await import('node:zlib')
  const carrier = await startCarrier(t, {
    action: response => {
      response.writeHead(200, { 'content-encoding': 'gzip' })
      const gzip = createGzip()
      gzip.on('error', () => {})
      gzip.pipe(response)
      response.on('close', () => gzip.destroy())
      const chunk = Buffer.alloc(1024 * 1024)
      for (let sent = 0; sent < 20; sent++) gzip.write(chunk)
      gzip.end()
    },
  })
  t.match(await failure(clientOf(carrier.baseUrl).activate(oneDevice)), { kind: 'bad-answer', reason: 'too large' })
})

t.test('a success of the wrong shape is an error of unknown outcome', async t => {
  const wrong = [
    '',
    '{}',
    '[]',
    'null',
    '{"requestId":7}',
    '{"requestId":""}',
    '{"requestId":"a b/c"}',
    '<ok/>',
    '{"requ',
  ]
  for (const body of wrong) {
    const carrier = await startCarrier(t, { action: response => response.end(body) })
    const error = await failure(clientOf(carrier.baseUrl).activate(oneDevice))
    t.match(error, { kind: 'bad-answer', outcome: 'unknown', httpStatus: 200 }, body)
  }
})

t.test('an error that comes with 200 is no success, and says what it is', async t => {
  const inside = [
    { errorCode: 'UnifiedWebService.REQUEST_FAILED.X', errorMessage: 'not done' },
    { fault: { code: 'UnifiedWebService.REQUEST_FAILED.X', description: 'not done' } },
  ]
  for (const body of inside) {
    const carrier = await startCarrier(t, { action: json(200, body) })
    const client = clientOf(carrier.baseUrl)
    const expected = { kind: 'bad-answer', outcome: 'unknown', errorCode: /X$/, errorMessage: 'not done' }
    t.match(await failure(client.activate(oneDevice)), expected)
    t.match(await failure(client.deregisterListener('a', 'CarrierService')), expected)
  }
})

t.test('a status about another request is not believed', async t => {
  const carrier = await startCarrier(t, {
    action: json(200, { requestId: 'other', status: 'Success', subRequests: [] }),
  })
  t.match(await failure(clientOf(carrier.baseUrl).requestStatus('a', 'mine')), { kind: 'bad-answer' })
})

t.test('a token or session that no header could carry is a bad answer, and quoted nowhere', async t => {
  const carrier = await startCarrier(t, { login: json(200, { sessionToken: 'leaky\r\nx: y' }) })
  const error = await failure(clientOf(carrier.baseUrl).activate(oneDevice))
  t.match(error, { kind: 'bad-answer', outcome: 'not-sent', during: 'session login' })
  t.notMatch(everythingOf(error), 'leaky')
})

t.test('a slow carrier is given up in time', async t => {
  const silent = await startCarrier(t, { action: () => {} })
  const client = clientOf(silent.baseUrl, { timeoutMs: 1_000 })
  t.match(await failure(client.activate(oneDevice)), { kind: 'timeout', outcome: 'unknown', httpStatus: null })
  const trickling = await startCarrier(t, {
    action: response => {
      response.writeHead(200)
      const drip = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(drip))
    },
  })
  const patient = clientOf(trickling.baseUrl, { timeoutMs: 1_000 })
  t.match(await failure(patient.activate(oneDevice)), { kind: 'timeout', outcome: 'unknown', httpStatus: 200 })
})

t.test('a time-out before the activation was sent is one that it was not', async t => {
  const carrier = await startCarrier(t, { login: () => {} })
  const error = await failure(clientOf(carrier.baseUrl, { timeoutMs: 1_000 }).activate(oneDevice))
  t.match(error, { kind: 'timeout', outcome: 'not-sent', during: 'session login' })
})

t.test('a carrier that is not there has taken nothing', async t => {
  const port = await unusedPort()
  const error = await failure(clientOf(`http://127.0.0.1:${port}`).activate(oneDevice))
  t.match(error, { kind: 'unreachable', outcome: 'not-sent', reason: 'ECONNREFUSED' })

  const carrier = await startCarrier(t)
  const client = clientOf(carrier.baseUrl)
  await client.activate(oneDevice)
  await new Promise<void>(resolve => {
    carrier.server.close(() => resolve())
    carrier.server.closeAllConnections()
  })
  await new Promise(resolve => setTimeout(resolve, 20))
  t.match(await failure(client.activate(oneDevice)), { kind: 'unreachable', outcome: 'not-sent', during: 'activate' })
})

t.test('what fails before there is a connection to trust was never sent', async t => {
  const carrier = await startCarrier(t)
  const request = {
    during: 'activate',
    method: 'POST',
    headers: {},
    body: '{}',
    timeoutMs: 1000,
    maxAnswerBytes: 1000,
  } as const
  const closed = `http://127.0.0.1:${await unusedPort()}/`
  const plain = carrier.baseUrl.replace('http:', 'https:')
  for (const [url, reason] of [
    [closed, 'ECONNREFUSED'],
    [plain, 'ERR_SSL_WRONG_VERSION_NUMBER'],
  ] as const) {
    t.match(await failure(exchange({ ...request, url })), { kind: 'unreachable', outcome: 'not-sent', reason })
  }
  t.equal(carrier.calls.length, 0)
})

t.test('a connection that breaks after the activation was written leaves it unknown', async t => {
  const carrier = await startCarrier(t, { action: response => response.destroy() })
  t.match(await failure(clientOf(carrier.baseUrl).activate(oneDevice)), { kind: 'unreachable', outcome: 'unknown' })
  t.equal(carrier.called('activate'), 1)

  const cut = await startCarrier(t, {
    action: response => {
      response.writeHead(200, { 'content-length': '100' }).write('{"requestId":"abc"')
      setTimeout(() => response.destroy(), 20)
    },
  })
  t.match(await failure(clientOf(cut.baseUrl).activate(oneDevice)), { kind: 'unreachable', outcome: 'unknown' })
})

t.test('what does not speak HTTP is a bad answer', async t => {
  const carrier = await startCarrier(t, { action: response => response.socket?.end('SSH-2.0-x\r\n\r\n') })
  t.match(await failure(clientOf(carrier.baseUrl).activate(oneDevice)), { kind: 'bad-answer', outcome: 'unknown' })
})

t.test('no error holds a secret, also when the carrier repeats all of them', async t => {
  const known = [credentials.key, credentials.secret, credentials.password]
  const carrier = await startCarrier(t)
  const client = clientOf(carrier.baseUrl)
  for (const status of [400, 401, 403, 500]) {
    const secrets = [...known]
    carrier.answers.action = (response, call) => {
      secrets.push(`${call.headers['vz-m2m-token']}`, `${call.headers.authorization?.replace('Bearer ', '')}`)
      const echo = [...known, ...secrets.slice(-2)].join(' ')
      json(status, { errorCode: echo, errorMessage: echo })(response, call)
    }
    const error = await failure(client.activate(oneDevice))
    t.match((error as CarrierError).errorMessage, '[removed] [removed] [removed] [removed] [removed]')
    for (const secret of secrets.slice(0, 3).concat(secrets.slice(-2))) {
      t.notMatch(everythingOf(error), secret, `${status} ${secret}`)
    }
  }
  const listener = { name: 'CarrierService', url: 'http://127.0.0.1/', username: 'u', password: 'listener-secret' }
  carrier.answers.action = json(400, { errorCode: 'x', errorMessage: 'password listener-secret is bad' })
  const error = await failure(client.registerListener('a', listener))
  t.match(error, { errorMessage: 'password [removed] is bad' })
  t.notMatch(everythingOf(error), 'listener-secret')
})

t.test('the carrier’s free text stays out of the message, and is short and plain', async t => {
  const carrier = await startCarrier(t, {
    action: json(400, { errorCode: 'x', errorMessage: `a\u0000\u001b[31m\n${'b'.repeat(9999)}` }),
  })
  const error = (await failure(clientOf(carrier.baseUrl).activate(oneDevice))) as CarrierError
  t.equal(error.message, 'ThingSpace activate was refused (400, x)')
  t.match(error.errorMessage, /^a \[31m b+$/)
  t.equal(error.errorMessage?.length, 500)
})

const everythingOf = (error: unknown): string => {
  const { message, stack, cause, ...rest } = error as Error & Record<string, unknown>
  return JSON.stringify([message, stack, String(cause), rest])
}

const unusedPort = (): Promise<number> =>
  new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
