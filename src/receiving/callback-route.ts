import { performance } from 'node:perf_hooks'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import Type from 'typebox'
import { nameInUrl } from '../listeners/callback-url.ts'
import { type AddressList, isLoopback } from '../operating/address-list.ts'
import { tellNowAndThen } from '../operating/answer-error.ts'
import { errorReply, HttpError, refused } from '../operating/http-error.ts'
import type { Metrics } from '../operating/metrics.ts'
import { callbackServices } from '../thingspace/callback-services.ts'
import { readJsonMessage } from '../thingspace/json-message.ts'
import { nextCallbackId } from './callback-id.ts'
import { logCallbacks } from './callback-log.ts'
import type { Authentic } from './incoming-callback.ts'
import { isAuthentic, type ListenerCredentials } from './listener-credentials.ts'
import { refuseEarly } from './refuse-early.ts'
import type { StoredCallback } from './store-callbacks.ts'
import { StoreBusy, StoreUnavailable } from './store-errors.ts'
import type { Spooled } from './store-or-spool.ts'

export interface CallbackRouteOptions {
  /** Rejects as the writer does. */
  take: (message: Authentic) => Promise<StoredCallback | Spooled>
  allowedSources: AddressList
  /** The listener of an account and service; null when there is none. */
  findListener: (accountName: string, serviceName: string) => ListenerCredentials | null
  /** False until the listeners have been read: a missing one may be among them. */
  areListenersKnown: () => boolean
  /** Without any listener, callbacks from loopback need no credentials. */
  tryOut: () => boolean
  /** Whether a callback that arrives now would wait in vain. */
  isFull: () => boolean
  bodyLimit: number
  /** How many callbacks a second get a log line of their own. */
  logPerSecond: number
  metrics: Pick<Metrics, 'received' | 'refused' | 'unknownValues'>
}

const Params = Type.Object({ accountName: Type.String(), serviceName: Type.String() })

/** For readers of the documentation: the body itself is parsed by hand, as tolerantly as possible. */
const Message = Type.Object(
  {},
  {
    title: 'ThingSpaceCallback',
    additionalProperties: true,
    description:
      'as the one example on the activate-profile page of Verizon shows it [DOC]; the credentials are from the page on ' +
      'callbacks [CONFLICT]; unknown fields are kept',
    examples: [
      {
        username: 'listener-name',
        password: 'listener-password',
        requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
        deviceIds: [{ id: '89999000000000000015', kind: 'Iccid' }],
        deviceResponse: { deviceProfileResponse: { state: 'ACTIVE', profileStatus: 'ENABLE', profileRole: 'LEAD' } },
        status: 'SUCCESS',
        callbackCount: 1,
        maxCallbackThreshold: 4,
      },
    ],
  },
)

const Accepted = Type.Object(
  {
    callbackId: Type.String({
      description: 'id of the stored callback; a repeated message gets that of the first one',
    }),
    verdict: Type.Enum(['applied', 'unchanged', 'repeated', 'unmatched', 'other', 'quarantined']),
  },
  { title: 'Accepted', examples: [{ callbackId: '01a20a16-396c-7518-afb5-fed56c42cc40', verdict: 'applied' }] },
)

const Kept = Type.Object(
  {
    callbackId: Type.String({ description: 'the id that the callback will have in the database' }),
    verdict: Type.Literal('spooled'),
  },
  {
    title: 'Spooled',
    description: 'The database is away: the callback is on disk, and goes to the database as soon as that is back',
    examples: [{ callbackId: '01a20a16-396c-7518-afb5-fed56c42cc40', verdict: 'spooled' }],
  },
)

/**
 * `POST /callbacks/{accountName}/{serviceName}`: one message from ThingSpace. Checked in this order, the body unread
 * until the first two hold: source address, listener, size, JSON, credentials, shape. Then stored, then answered: 200
 * means committed; 202 means that the database is away and the spool has it on disk. Whatever is wrong with a sender
 * gets the same 403.
 */
export const callbackRoute: FastifyPluginAsyncTypebox<CallbackRouteOptions> = async (app, options) => {
  const { metrics } = options
  const logCallback = logCallbacks(app.log, options.logPerSecond)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: options.bodyLimit }, (_request, body, done) => {
    done(null, body)
  })
  refuseEarly(app.server, {
    isFull: options.isFull,
    mayKnow: (peer, accountName, serviceName) =>
      !options.tryOut() && options.allowedSources.has(peer) && options.findListener(accountName, serviceName) !== null,
    body: JSON.stringify(errorReply(full.statusCode, full.message)),
    onRefused: () => {
      metrics.refused.inc({ reason: '503' })
      tellNowAndThen(app, full)
    },
  })

  app.route({
    method: 'POST',
    url: '/callbacks/:accountName/:serviceName',
    bodyLimit: options.bodyLimit,
    config: { described: { body: Message } },
    schema: {
      operationId: 'receiveCallback',
      summary: 'Receive one ThingSpace callback',
      description:
        'The body is read as JSON whatever the content type says. User name and password of the listener are in the ' +
        'body in clear [DOC]. After an answer other than 2xx there are 3 more tries, 5 minutes apart [QUOTE]; one more after ' +
        '1.2 to 1.7 seconds was seen [OBS]. A 200 means committed, whatever the verdict.',
      tags: ['callbacks'],
      params: Params,
      response: {
        200: Accepted,
        202: Kept,
        400: refused('No JSON object: empty, an array, cut short, XML'),
        403: refused('Address not allowed, unknown account or service, wrong or missing credentials: all answer alike'),
        413: refused('Larger than CALLBACK_BODY_LIMIT'),
        415: refused('Sent with a Content-Encoding'),
        503: refused('It could not be stored now; send it again'),
      },
    },
    onRequest: async request => {
      if (!options.allowedSources.has(request.ip)) throw notAccepted()
      checkAddressed(options, request)
      if (options.isFull()) throw full
      if (request.headers['content-encoding'] !== undefined) {
        throw new HttpError(415, 'send the body as it is, without Content-Encoding')
      }
      // Fastify would refuse a content type that it can't parse; here the content type means nothing.
      request.headers['content-type'] = 'application/json'
    },
    onResponse: async (_request, { statusCode }) => {
      if (statusCode >= 300) metrics.refused.inc({ reason: String(statusCode) })
    },
    handler: async (request, reply) => {
      const started = performance.now()
      const stored = await receive(options, request)
      metrics.received.inc({ service: serviceLabel(request.params.serviceName), verdict: stored.verdict })
      if (stored.verdict === 'spooled') reply.code(202)
      else for (const field of stored.unknownFields) metrics.unknownValues.inc({ field })
      logCallback(request.log, {
        callbackId: stored.callbackId,
        verdict: stored.verdict,
        service: request.params.serviceName,
        ms: since(started),
      })
      return stored
    },
  })
}

type CallbackRequest = Pick<FastifyRequest, 'ip' | 'params' | 'body'>

async function receive(options: CallbackRouteOptions, request: CallbackRequest): Promise<StoredCallback | Spooled> {
  const { accountName, serviceName } = request.params as { accountName: string; serviceName: string }
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const json = readJsonMessage(bytes)
  if (!json.ok) throw new HttpError(400, json.problem)
  const listener = options.findListener(accountName, serviceName)
  const authentic = listener === null ? mayGoWithout(options, request.ip) : isAuthentic(listener, json)
  if (!authentic) throw notAccepted()
  try {
    return await options.take({ id: nextCallbackId(), accountName, serviceName, bytes, json })
  } catch (error) {
    if (error instanceof StoreBusy || error instanceof StoreUnavailable) {
      throw notNow()
    }
    throw error
  }
}

/** Throws unless it is addressed to a listener that we know. */
function checkAddressed(options: CallbackRouteOptions, request: Pick<FastifyRequest, 'ip' | 'params'>): void {
  const { accountName, serviceName } = request.params as { accountName: string; serviceName: string }
  if (!nameInUrl.test(accountName) || !nameInUrl.test(serviceName)) throw notAccepted()
  if (options.findListener(accountName, serviceName) !== null || mayGoWithout(options, request.ip)) return
  throw options.areListenersKnown() ? notAccepted() : notNow()
}

function mayGoWithout({ tryOut }: CallbackRouteOptions, address: string): boolean {
  return tryOut() && isLoopback(address)
}

/** The same answer for a wrong address, an unknown listener and wrong credentials: it reveals nothing to a stranger. */
function notAccepted(): HttpError {
  return new HttpError(403, 'not accepted')
}

function notNow(): HttpError {
  return new HttpError(503, 'the callback could not be stored now; send it again', { 'retry-after': '1' })
}

/**
 * One error for all, answered before the body is read: refusing must cost next to nothing when there is most to refuse.
 */
const full = notNow()

/** Only names that ThingSpace uses: a label that takes any name would grow without end. */
function serviceLabel(serviceName: string): string {
  return callbackServices.has(serviceName) ? serviceName : 'other'
}

function since(started: number): number {
  return Math.round((performance.now() - started) * 10) / 10
}
