import type { IncomingMessage, ServerResponse } from 'node:http'
import t from 'tap'
import { startGateway } from '../fixtures/gateway.ts'
import { one, setStage } from '../fixtures/listener-stage.ts'
import { runCommand } from '../fixtures/run-command.ts'

// they wait more than they work
t.jobs = 3

const url = ['--url', 'http://127.0.0.1:9']

t.test('a deregistration whose answer is lost is one when ThingSpace lists it no longer', async t => {
  const { carrier, listener, env, listed } = await setStage(t)
  await listener('register', ...one, ...url)
  const lost = await startGateway(t, carrier.url, { isOurs, isForwarded: true, answer: response => response.destroy() })
  const ended = await runCommand('listener', ['deregister', ...one], { ...env, THINGSPACE_BASE_URL: lost })
  t.match(ended, { code: 0, stdout: /: deregistered; its credentials are accepted for another 24 hours/ })
  t.strictSame(await listed(), [])
})

t.test('a gateway that does not find the way is no word that ThingSpace has no such listener', async t => {
  const { carrier, listener, env, listed } = await setStage(t)
  await listener('register', ...one, ...url)
  const answer = (response: ServerResponse) => response.writeHead(404).end('<html>not found</html>')
  const astray = await startGateway(t, carrier.url, { isOurs, isForwarded: false, answer })
  const refused = await runCommand('listener', ['deregister', ...one], { ...env, THINGSPACE_BASE_URL: astray })
  t.match(refused, { code: 1, stderr: /was refused \(404\)\n +nothing was changed here/ })
  t.match(await listed(), [{ serviceName: 'CarrierService' }])
  t.match(await listener('check', ...one.slice(0, 2)), { code: 0 }, 'it is still ours')
})

t.test('what ThingSpace has lost is deregistered here, in whatever words it refuses', async t => {
  const { carrier, listener, env } = await setStage(t)
  await listener('register', ...one, ...url)
  const answer = (response: ServerResponse) =>
    response.writeHead(400).end('{"errorCode":"UnifiedWebService.REQUEST_FAILED.CallbackNotRegistered"}')
  const forgetful = await startGateway(t, carrier.url, { isOurs, isForwarded: true, answer })
  const ended = await runCommand('listener', ['deregister', ...one], { ...env, THINGSPACE_BASE_URL: forgetful })
  t.match(ended, { code: 0, stdout: /ThingSpace had none; its credentials are accepted for another 24 hours/ })
})

function isOurs({ method }: IncomingMessage): boolean {
  return method === 'DELETE'
}
