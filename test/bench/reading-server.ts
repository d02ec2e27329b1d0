import type { AddressInfo } from 'node:net'
import fastify from 'fastify'
import Type from 'typebox'
import { readJsonMessage } from '../../src/thingspace/json-message.ts'
import { readCallback } from '../../src/thingspace/read-callback.ts'

/**
 * The ceiling of our own reading: each callback is parsed and held against its schema by the service's own code, and
 * answered. No credentials, no sealing, no storage, no log.
 */
const app = fastify()
app.removeAllContentTypeParsers()
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
const Accepted = Type.Object({ callbackId: Type.String(), verdict: Type.String() })

app.post('/callbacks/:accountName/:serviceName', { schema: { response: { 200: Accepted } } }, async request => {
  const json = readJsonMessage(request.body as Buffer)
  if (!json.ok || readCallback(json).kind !== 'reports') throw new Error('the callback of the bench is no report')
  return { callbackId: '01a209e4-88fd-7081-b146-8ea9b31f82b7', verdict: 'applied' }
})

await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo
process.send?.({ url: `http://127.0.0.1:${port}` })
process.on('disconnect', () => process.exit(0))
