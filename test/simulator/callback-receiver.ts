import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Settings } from '../../src/simulator/settings.ts'
import { type StartOptions, startSimulator } from '../../src/simulator/start-simulator.ts'
import { createThingSpaceClient } from '../../src/thingspace/client.ts'

export interface Received {
  at: number
  answeredAt: number | null
  headers: IncomingHttpHeaders
  body: Record<string, unknown> & { requestId: string; callbackCount: number; status?: string; password?: string }
}

/** Answers every callback, after `answer` has said with what. */
export const startReceiver = async (
  t: Test,
  answer: (received: Received, nth: number) => number | Promise<number> = () => 200,
) => {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', async () => {
      const body = JSON.parse(Buffer.concat(chunks).toString())
      const one: Received = { at: performance.now(), answeredAt: null, headers: request.headers, body }
      received.push(one)
      const status = await answer(one, received.length)
      one.answeredAt = performance.now()
      if (status === 0) response.destroy()
      else response.writeHead(status).end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callbacks` }
}

export const account = '0000123456-00001'

/** A carrier with quick habits, one listener that it calls back, and a client signed in to it. */
export const startAll = async (
  t: Test,
  settings: Partial<Settings> = {},
  answer?: Parameters<typeof startReceiver>[1],
  options: StartOptions = {},
) => {
  const receiver = await startReceiver(t, answer)
  const simulator = await startSimulator({
    seed: 11,
    settings: { callbackAfterMs: 5, callbackSpreadMs: 20, ...settings },
    listeners: ['CarrierService', 'DeviceProfileService'].map(serviceName => ({
      accountName: account,
      serviceName,
      url: receiver.url,
      username: 'listener',
      password: 'password-1',
    })),
    ...options,
  })
  t.teardown(() => simulator.close())
  const client = createThingSpaceClient({ baseUrl: simulator.url, key: 'k', secret: 's', username: 'u', password: 'p' })
  return { ...receiver, simulator, client }
}

export const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))
