import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { sql } from 'kysely'
import Type from 'typebox'
import { findActivation } from '../activations/find-activation.ts'
import type { Database } from '../database/pool.ts'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { answeredUnchanged, entityTag } from '../operating/etag.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { Page, pageQuery, ViewTime } from '../operating/page.ts'
import { requestIdPattern } from '../operating/patterns.ts'
import { CallbackView, callbackTagParts, callbackView, StoredVerdict } from './callback-view.ts'
import { findCallback, findCallbacks } from './find-callbacks.ts'
import type { Keys } from './incoming-callback.ts'
import { reprocessCallbacks } from './reprocess-callbacks.ts'
import { storedMessage } from './stored-message.ts'

export interface StoredCallbackRoutesOptions {
  db: Database
  seenBy: SeenBy
  cursors: Cursors
  keys: () => Keys | null
}

const Params = Type.Object({ id: Type.String({ format: 'uuid' }) })
const NoQuery = Type.Object({}, { additionalProperties: false })
const Name = Type.String({ minLength: 1, maxLength: 64 })
const filters = {
  verdict: Type.Optional(StoredVerdict),
  accountName: Type.Optional(Name),
  serviceName: Type.Optional(Name),
  requestId: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  receivedAfter: ViewTime,
}
const errors = { 400: ErrorReply, 401: ErrorReply, 403: ErrorReply, 404: ErrorReply }
const Reprocessed = Type.Object(
  {
    matched: Type.Integer(),
    reprocessed: Type.Integer(),
    verdicts: Type.Record(Type.String(), Type.Integer()),
    dryRun: Type.Boolean(),
  },
  {
    title: 'Reprocessed',
    examples: [{ matched: 12, reprocessed: 12, verdicts: { applied: 10, other: 2 }, dryRun: false }],
  },
)

export const storedCallbackRoutes: FastifyPluginAsyncTypebox<StoredCallbackRoutesOptions> = async (app, options) => {
  const { db, seenBy, cursors } = options

  app.get(
    '/v1/callbacks',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listCallbacks',
        summary: 'Stored callbacks, newest first',
        tags: ['callbacks'],
        querystring: Type.Object({ ...filters, ...pageQuery }, { additionalProperties: false }),
        response: { 200: Page(CallbackView), 304: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query
      const { accounts } = accessOf(request)
      const page = await findCallbacks(seenBy(accounts), cursors, filter, accounts, { limit, cursor })
      if (answeredUnchanged(request, reply, entityTag([page.rows.map(callbackTagParts), page.next, page.prev])))
        return reply
      return { items: page.rows.map(callbackView), next: page.next, prev: page.prev }
    },
  )

  app.get(
    '/v1/activations/:requestId/callbacks',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listCallbacksOfActivation',
        summary: 'The callbacks of an activation, newest first, including those of other kinds',
        tags: ['callbacks'],
        params: Type.Object({ requestId: Type.String({ pattern: requestIdPattern }) }),
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(CallbackView), 304: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const { accounts } = accessOf(request)
      const activation = await findActivation(seenBy(accounts), request.params.requestId, accounts)
      if (activation === null) throw new HttpError(404, 'not found')
      // It may have been asked for by the name that stood for it while its requestId was unknown.
      const filter = { requestId: activation.request_id, accountName: activation.account_name }
      const page = await findCallbacks(seenBy(accounts), cursors, filter, accounts, request.query)
      if (answeredUnchanged(request, reply, entityTag([page.rows.map(callbackTagParts), page.next, page.prev])))
        return reply
      return { items: page.rows.map(callbackView), next: page.next, prev: page.prev }
    },
  )

  app.get(
    '/v1/callbacks/:id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getCallback',
        summary: 'One stored callback',
        tags: ['callbacks'],
        params: Params,
        querystring: NoQuery,
        response: { 200: CallbackView, ...errors },
      },
    },
    async request => {
      const { accounts } = accessOf(request)
      const found = await findCallback(seenBy(accounts), request.params.id, accounts)
      if (found === null) throw new HttpError(404, 'not found')
      return callbackView(found)
    },
  )

  app.get(
    '/v1/callbacks/:id/bytes',
    {
      config: { scope: 'credentials' },
      schema: {
        operationId: 'getCallbackBytes',
        summary: 'The message as it came, with secrets in clear; a quarantined one byte for byte',
        description:
          'Every access leaves a row in the audit. Only quarantined messages still contain listener credentials.',
        tags: ['callbacks'],
        params: Params,
        querystring: NoQuery,
        response: {
          200: { description: 'the bytes', content: { 'application/octet-stream': { schema: Type.String() } } },
          ...errors,
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const access = accessOf(request)
      const mine = seenBy(access.accounts)
      const found = await findCallback(mine, id, access.accounts)
      const row = await mine.selectFrom('callbacks').selectAll().where('id', '=', id).executeTakeFirst()
      if (found === null || row === undefined) throw new HttpError(404, 'not found')
      const bytes = storedMessage(row, keysOr503(options).sealer)
      await sql`
        insert into audit (who, action, account_name, callback_id)
        values (${access.name}, 'message shown', ${row.account_name}, ${id})`.execute(db)
      reply.header('cache-control', 'no-store').type('application/octet-stream')
      return reply.serializer((payload: Buffer) => payload as unknown as string).send(bytes as never)
    },
  )

  app.post(
    '/v1/callbacks/:id/reprocess',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'reprocessCallback',
        summary: 'Read one callback again with the current code',
        tags: ['callbacks'],
        params: Params,
        querystring: NoQuery,
        response: { 200: Reprocessed, ...errors },
      },
    },
    async request => {
      const { id } = request.params
      const { accounts } = accessOf(request)
      refuseBody(request.body)
      const outcome = await reprocessCallbacks({ db, seenBy }, keysOr503(options), { id }, accounts, false)
      if (outcome.matched === 0) throw new HttpError(404, 'not found')
      return outcome
    },
  )

  app.post(
    '/v1/callbacks/reprocess',
    {
      config: { scope: 'operate' },
      schema: {
        operationId: 'reprocessCallbacks',
        summary: 'Read all matching callbacks again: quarantined, other and unmatched ones',
        description: 'One whose reason says that it ended the connection to the database is read again only by its id.',
        tags: ['callbacks'],
        querystring: NoQuery,
        body: Type.Object(
          { ...filters, dryRun: Type.Optional(Type.Boolean({ default: false })) },
          { additionalProperties: false },
        ),
        response: { 200: Reprocessed, ...errors },
      },
    },
    async request => {
      const { dryRun = false, ...filter } = request.body
      // Otherwise a connection that is silent for some seconds is closed, and the work would go on unseen. How long it
      // takes depends on how many match; each step of it has a limit of its own.
      request.raw.socket.setTimeout(0)
      return reprocessCallbacks({ db, seenBy }, keysOr503(options), filter, accessOf(request).accounts, dryRun)
    },
  )
}

/** One that was meant for many, with its `dryRun`, would be passed over, and this callback read again in earnest. */
function refuseBody(body: unknown): void {
  const [name] = Object.keys(body ?? {})
  if (name !== undefined) throw new HttpError(400, `body: ${name} is not known, there is nothing to say here`)
}

function keysOr503({ keys }: StoredCallbackRoutesOptions): Keys {
  const known = keys()
  if (known === null) throw new HttpError(503, 'not available now; ask again', { 'retry-after': '1' })
  return known
}
