import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { LedgerEntry } from './ledger.ts'
import { SendWish } from './send-message.ts'
import { badDay, Settings } from './settings.ts'
import type { SimulatorControl } from './simulator.ts'

const Burst = Compile(
  Type.Object(
    {
      accountName: Type.String({ minLength: 1 }),
      count: Type.Integer({ minimum: 1, maximum: 10_000 }),
      servicePlan: Type.Optional(Type.String()),
      consumer: Type.Optional(Type.Boolean()),
    },
    { additionalProperties: false },
  ),
)
const Wish = Compile(SendWish)
const NewListener = Compile(
  Type.Object({
    accountName: Type.String({ minLength: 1 }),
    serviceName: Type.String({ minLength: 1 }),
    url: Type.String(),
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
  }),
)
const LedgerQuery = Compile(
  Type.Object(
    {
      outcome: Type.Optional(Type.String()),
      requestId: Type.Optional(Type.String()),
      after: Type.Optional(Type.String({ pattern: '^\\d{1,9}$' })),
      limit: Type.Optional(Type.String({ pattern: '^\\d{1,6}$' })),
      bodies: Type.Optional(Type.String({ pattern: '^(true|false)$' })),
    },
    { additionalProperties: false },
  ),
)

const page = readFileSync(new URL('./page.html', import.meta.url), 'utf8')

/** Not the carrier's: how a person or a test steers it. Meant for loopback; there is no login. */
export const controlRoutes = (app: FastifyInstance, control: SimulatorControl): void => {
  app.get('/', async (_request, reply) => reply.type('text/html; charset=utf-8').send(page))
  app.get('/simulator/state', async () => control.state())
  app.get('/simulator/settings', async () => control.settings())
  app.get('/simulator/settings/schema', async () => ({ properties: Settings.properties, presets: { badDay } }))
  app.get('/simulator/asked', async () => ({ items: control.asked() }))

  // Only those that are named change; {} changes nothing.
  app.put('/simulator/settings', async ({ body }, reply) => {
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      return reply.code(400).send(badRequest('an object'))
    try {
      return control.settings(body)
    } catch (error) {
      if (error instanceof RangeError) return reply.code(400).send(badRequest(error.message))
      throw error
    }
  })

  app.get('/simulator/ledger', async ({ query }, reply) => {
    if (!LedgerQuery.Check(query)) return reply.code(400).send(badRequest('outcome, requestId, after, limit, bodies'))
    const { outcome, requestId, after = '0', limit = '1000', bodies } = query
    const items = control
      .ledger()
      .filter(entry => entry.id > Number(after))
      .filter(entry => outcome === undefined || entry.outcome === outcome)
      .filter(entry => requestId === undefined || entry.requestId === requestId)
      .slice(0, Number(limit))
    return { items: bodies === 'true' ? items : items.map(withoutBody), counts: control.state().callbacks }
  })

  app.post('/simulator/listeners', async ({ body }, reply) => {
    if (!NewListener.Check(body))
      return reply.code(400).send(badRequest('accountName, serviceName, url, username?, password?'))
    control.listen(body)
    return control.state().listeners
  })

  app.post('/simulator/send-callback', async ({ body }, reply) => {
    if (!Wish.Check(body))
      return reply.code(400).send(badRequest('accountName, serviceName, body, credentials?, twice?'))
    return control.send(body)
  })

  app.post('/simulator/burst', async ({ body }, reply) => {
    if (!Burst.Check(body))
      return reply.code(400).send(badRequest('accountName, count 1-10000, servicePlan?, consumer?'))
    return control.burst(body)
  })

  app.post('/simulator/expire-sessions', async () => {
    control.expireSessions()
    return control.state()
  })

  app.post('/simulator/unlock', async () => {
    control.unlock()
    return control.state()
  })
}

const withoutBody = ({ body: _, ...entry }: LedgerEntry) => entry

const badRequest = (expected: string) => ({ errorCode: '400', errorMessage: `Not understood: ${expected}` })
