import type { AddressInfo } from 'node:net'
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import fastify from 'fastify'
import Type from 'typebox'
import { Page } from '../../src/operating/page.ts'
import { DeviceView, ProfileView } from '../../src/profiles/profile-view.ts'
import { device } from '../fixtures/make-callback.ts'

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
// Devices from memory, in the shape in which the service answers them from the database.
const devices = new Map(Array.from({ length: 1_000 }, (_, n) => [device(n + 1).eid, deviceOf(n + 1)]))
app.get(
  '/v1/devices/:kind/:id',
  { schema: { response: { 200: DeviceView, 304: Type.Unknown(), 404: Type.Null() } } },
  async (request, reply) => {
    const known = devices.get((request.params as { id: string }).id)
    if (known === undefined) return reply.code(404).send(null)
    reply.header('etag', known.tag)
    return request.headers['if-none-match'] === known.tag ? reply.code(304).send() : known.view
  },
)
const profiles = [...devices.values()].flatMap(({ view }) => view.profiles)
const firstPage = { items: profiles.slice(0, 100), next: null, prev: null }
app.get('/v1/profiles', { schema: { response: { 200: Page(ProfileView) } } }, async () => firstPage)

const byIccid = new Map(profiles.map(profile => [profile.iccid, profile]))
const Ids = Type.Object({ ids: Type.Array(Type.Object({ kind: Type.String(), id: Type.String() })) })
const LookedUp = Type.Object({ items: Type.Array(ProfileView) })
app.post('/v1/profiles/lookup', { schema: { body: Ids, response: { 200: LookedUp } } }, async request => ({
  items: (request.body as Type.Static<typeof Ids>).ids.flatMap(({ id }) => byIccid.get(id) ?? []),
}))

function deviceOf(n: number): { tag: string; view: DeviceView } {
  const { iccid, eid, imei } = device(n)
  const at = new Date().toISOString()
  const view: DeviceView = {
    eid,
    imei,
    profiles: [
      {
        ...{ iccid, eid, imei, mdn: '5555550101', msisdn: '15555550101', accountName: '0000123456-00001' },
        ...{ state: 'ACTIVE', profileStatus: 'ENABLE', profileRole: 'LEAD', servicePlan: 'EXAMPLE_PLAN' },
        addressUpdate: { status: 'EXECUTED_SUCCESS', code: '1', description: 'Line processed successfully' },
        hasCredential: true,
        flags: [],
        lastResult: {
          ...{ requestId: 'bulk-0', operation: 'activate', result: 'succeeded', source: 'callback' },
          ...{ faultCode: null, faultMessage: null },
        },
        ...{ changedAt: at, confirmedAt: at, version: 1 },
      },
    ],
  }
  return { tag: `"${iccid}"`, view }
}

await app.listen({ port: 0, host: '127.0.0.1' })
const { port } = app.server.address() as AddressInfo
process.send?.({ url: `http://127.0.0.1:${port}` })
process.on('message', () => process.send?.(process.cpuUsage()))
process.on('disconnect', () => process.exit(0))
