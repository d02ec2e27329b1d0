import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { refuseEarly } from '../../src/receiving/refuse-early.ts'
import { send } from '../fixtures/service.ts'

const path = '/callbacks/0000123456-00001/CarrierService'

async function start(t: Test) {
  const state = { full: true, refused: 0 }
  const server = http.createServer((_request, response) => response.writeHead(200).end())
  refuseEarly(server, {
    isFull: () => state.full,
    mayKnow: (peer, accountName) => peer.endsWith('127.0.0.1') && accountName === '0000123456-00001',
    body: '{"errorCode":"503","errorMessage":"later"}',
    onRefused: () => {
      state.refused += 1
    },
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo
  const post = (at = path, headers = {}) => send(`http://127.0.0.1:${port}${at}`, 'POST', { headers, body: { n: 1 } })
  return { state, post }
}

t.test('while it is full a callback is refused in the one form, and the connection goes on', async t => {
  const { state, post } = await start(t)
  const refused = await post(path, { 'x-request-id': 'mine' })
  t.match(refused, { status: 503, body: { errorCode: '503', errorMessage: 'later' } })
  t.equal(refused.headers.get('retry-after'), '1')
  t.equal(refused.headers.get('x-request-id'), 'mine')
  t.equal(refused.headers.get('connection'), 'keep-alive')
  t.equal(state.refused, 1)
  state.full = false
  t.match(await post(), { status: 200 })
})

t.test('what is not plainly a callback of somebody known goes the usual way', async t => {
  const { state, post } = await start(t)
  t.match(await post('/callbacks/0000999999-00001/CarrierService'), { status: 200 }, 'of another account')
  t.match(await post(path, { 'x-forwarded-for': '192.0.2.1' }), { status: 200 }, 'sent on by a proxy')
  t.match(await post('/v1/activations'), { status: 200 }, 'something else')
  t.equal(state.refused, 0)
})
