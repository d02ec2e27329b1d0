import type { AddressInfo } from 'node:net'
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import Type from 'typebox'

/**
 * The ceiling: Fastify with the same parsing and a schema, and no storage. Asked for `cpu`, it tells what it has used,
 * so that the cost of receiving one request is known without the client's.
 */
const app = fastify().setValidatorCompiler(TypeBoxValidatorCompiler)
const Accepted = Type.Object({ callbackId: Type.String(), verdict: Type.String() })
const Body = Type.Object({ requestId: Type.String() })

app.post('/callbacks/:accountName/:serviceName', { schema: { body: Body, response: { 200: Accepted } } }, async () => ({
  callbackId: '01a209e4-88fd-7081-b146-8ea9b31f82b7',
  verdict: 'applied',
}))
await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo
process.send?.({ url: `http://127.0.0.1:${port}` })
process.on('message', () => process.send?.(process.cpuUsage()))
process.on('disconnect', () => process.exit(0))
