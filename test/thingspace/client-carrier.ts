import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { createThingSpaceClient, type ThingSpaceOptions } from '../../src/thingspace/client.ts'

export interface Call {
  method: string
  path: string
  headers: IncomingHttpHeaders
  body: string
}

type Answer = (response: ServerResponse, call: Call) => void

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  response => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

/** A carrier of a few lines that answers as a test says: by default it signs anybody in, and takes every action. */
export const startCarrier = async (t: Test, answers: { token?: Answer; login?: Answer; action?: Answer } = {}) => {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      const call = { method, path, headers, body: Buffer.concat(chunks).toString() }
      calls.push(call)
      answerTo(path)(response, call)
    })
  })
  let sessions = 0
  const answerTo = (path: string): Answer => {
    if (path.endsWith('/oauth2/token')) {
      return answers.token ?? json(200, { access_token: 'token-secret-1', token_type: 'Bearer', expires_in: 3600 })
    }
    if (path.endsWith('/session/login'))
      return answers.login ?? json(200, { sessionToken: `session-secret-${++sessions}` })
    return answers.action ?? json(200, { requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8' })
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const called = (what: string) => calls.filter(({ path }) => path.includes(what)).length
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls, called, answers, server }
}

export const credentials = { key: 'the-key', secret: 'the-secret', username: 'the-user', password: 'the-password' }

export const clientOf = (baseUrl: string, options: Partial<ThingSpaceOptions> = {}) =>
  createThingSpaceClient({ baseUrl, ...credentials, ...options })

export const oneDevice = {
  accountName: '0000123456-00001',
  mdnZipCode: '12345',
  servicePlan: 'EXAMPLE_PLAN',
  devices: [
    {
      deviceIds: [
        { kind: 'eid', id: '89001000000000000000000000000177' },
        { kind: 'iccid', id: '89999000000000000015' },
        { kind: 'imei', id: '001013000000010' },
      ],
    },
  ],
}

/** The error a promise ends with. */
export const failure = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
