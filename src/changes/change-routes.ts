import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { accessOf } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { ErrorReply, refused } from '../operating/http-error.ts'
import { normalIdentifier } from '../thingspace/identifiers.ts'
import type { ChangeFeed } from './change-feed.ts'
import { ChangeView, changeView, type Place, readPlace, writePlace } from './change-view.ts'
import { type ChangeFilter, placeAfter } from './find-changes.ts'
import { streamChanges } from './stream-changes.ts'

export interface ChangeRoutesOptions {
  feed: ChangeFeed
  cursors: Cursors
}

const Name = Type.String({ minLength: 1, maxLength: 128 })
const filters = {
  after: Type.Optional(
    Type.String({
      maxLength: 200,
      description:
        'the cursor of the last change seen, or `now`; without it, from the oldest change that is kept. 410 once changes ' +
        'after it have been deleted, after KEEP_HISTORY (400 days)',
    }),
  ),
  accountName: Type.Optional(Name),
  iccid: Type.Optional(Name),
  requestId: Type.Optional(Name),
}
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 }))
const Changes = Type.Object(
  {
    items: Type.Array(ChangeView),
    cursor: Type.String({ description: 'the last change looked at, even when items is empty: continue with ?after=' }),
  },
  { title: 'Changes', headers: { 'cache-control': { type: 'string', description: 'no-store' } } },
)
const Event = Type.String({
  description:
    'event: change, id: the cursor, data: the change as JSON; a comment line every 15 seconds without one. At the ' +
    'beginning and with each comment comes an id alone, which is no event: the place that was reached, to come back to',
})
const errors = {
  400: ErrorReply,
  401: ErrorReply,
  403: ErrorReply,
  410: refused('Changes after this cursor have been deleted, after KEEP_HISTORY, or are gone: start without it'),
}
/** A waiting reader sends nothing while it waits, nor while its answer is then being made. */
const answerMs = 15_000

export const changeRoutes: FastifyPluginAsyncTypebox<ChangeRoutesOptions> = async (app, { feed, cursors }) => {
  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort())

  const position = (after: string | undefined, where = 'query parameter: after'): Place => {
    if (after === undefined) return { id: 0n, thinned: true }
    if (after === 'now') return { id: feed.head(), thinned: false }
    return readPlace(after, cursors, where)
  }

  app.get(
    '/v1/changes',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listChanges',
        summary: 'Every change after a cursor, in an order that no later commit can slip in front of',
        tags: ['changes'],
        querystring: Type.Object(
          {
            ...filters,
            limit,
            wait: Type.Optional(
              Type.Integer({
                minimum: 0,
                maximum: 60,
                description: 'how many seconds to wait for a change if there is none yet',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        response: { 200: Changes, ...errors },
      },
    },
    async (request, reply) => {
      const { after, limit = 100, wait = 0, ...asked } = request.query
      const filter = normalFilter(asked)
      const { accounts } = accessOf(request)
      const gone = goneSignal(reply.raw, closing.signal)
      const deadline = Date.now() + wait * 1_000
      // Otherwise a connection that is silent for some seconds is closed.
      if (wait > 0) reply.raw.socket?.setTimeout(wait * 1_000 + answerMs)
      await feed.look()
      let found = await feed.read(position(after), filter, accounts, limit)
      while (found.rows.length === 0 && Date.now() < deadline && !gone.aborted) {
        await feed.grown(found.upTo, deadline - Date.now(), gone)
        found = await feed.read(placeAfter(found), filter, accounts, limit)
      }
      reply.header('cache-control', 'no-store')
      const items = found.rows.map(row => changeView(row, cursors, found.deletedTo))
      return { items, cursor: writePlace(placeAfter(found), cursors) }
    },
  )

  app.get(
    '/v1/changes/stream',
    {
      // HEAD would open a stream too, one that nobody could read.
      exposeHeadRoute: false,
      config: { scope: 'read' },
      schema: {
        operationId: 'streamChanges',
        summary: 'The same as Server-Sent Events; Last-Event-ID resumes',
        tags: ['changes'],
        querystring: Type.Object(filters, { additionalProperties: false }),
        headers: Type.Object({
          'last-event-id': Type.Optional(
            Type.String({
              maxLength: 200,
              description: 'the id of the last event seen; takes precedence over `after`',
            }),
          ),
        }),
        response: {
          200: { description: 'the changes as they come', content: { 'text/event-stream': { schema: Event } } },
          ...errors,
        },
      },
    },
    async (request, reply) => {
      const { after, ...asked } = request.query
      const filter = normalFilter(asked)
      const { accounts } = accessOf(request)
      const last = request.headers['last-event-id']
      const gone = goneSignal(reply.raw, closing.signal)
      await feed.look()
      const from = typeof last === 'string' ? position(last, 'header: last-event-id') : position(after)
      // Refuses a cursor that is too old, while there is still a status to say so with.
      await feed.read(from, filter, accounts, 0)
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, {
        ...(reply.getHeaders() as OutgoingHttpHeaders),
        'content-type': 'text/event-stream; charset=utf-8',
        // A proxy that compresses may hold the last change back until there is more to compress.
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        connection: 'close',
      })
      try {
        await streamChanges(raw, { feed, cursors, after: from, filter, accounts, gone })
        raw.end()
      } catch (error) {
        // Its reader comes back with the last id it saw; left open, it would wait in vain.
        request.log.warn({ err: error }, 'a stream of changes was broken off')
        raw.destroy()
      }
    },
  )
}

/** An ICCID is accepted as in a path: with separators, or with the `F` that pads an odd one. */
function normalFilter({ iccid, ...others }: ChangeFilter): ChangeFilter {
  return iccid === undefined ? others : { ...others, iccid: normalIdentifier('iccid', iccid) }
}

/** Aborts when the reader has gone (even before this call), or when the service is closing. */
function goneSignal(response: ServerResponse, closing: AbortSignal): AbortSignal {
  const left = new AbortController()
  if (response.destroyed) left.abort()
  response.once('close', () => left.abort())
  return AbortSignal.any([left.signal, closing])
}
