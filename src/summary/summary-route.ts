import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type, { type Static } from 'typebox'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import { ErrorReply } from '../operating/http-error.ts'
import { Maybe, Time } from '../operating/schemas.ts'
import { findSummary } from './find-summary.ts'

export interface SummaryRouteOptions {
  seenBy: SeenBy
}

const Count = Type.Integer({ minimum: 0 })
const activationStates = ['pending', 'partial', 'succeeded', 'failed', 'mixed', 'conflict', 'unknown'] as const
const verdicts = ['applied', 'unchanged', 'unmatched', 'other', 'quarantined'] as const

/** What a dashboard shows first, in one call. */
export const SummaryView = Type.Object(
  {
    profiles: Type.Array(
      Type.Object({
        state: Maybe(Type.String({ examples: ['ACTIVE'] })),
        profileRole: Maybe(Type.String({ examples: ['LEAD'] })),
        profileStatus: Maybe(Type.String({ examples: ['ENABLE'] })),
        count: Count,
      }),
      { description: 'how many profiles each existing combination has' },
    ),
    activations: Type.Object(
      { ...everyOne(activationStates), overdue: Count },
      { description: 'recorded activations by status; overdue ones are also counted under their status' },
    ),
    callbacks: Type.Object({
      byVerdict: Type.Object(everyOne(verdicts), {
        description: 'stored callbacks; a repeated one is stored only once',
      }),
      perMinute: Type.Array(Type.Object({ minute: Time, count: Count, byVerdict: Type.Object(everyOne(verdicts)) }), {
        description:
          'stored callbacks by the minute in which they came: the last 60, oldest first, including those without any',
      }),
    }),
    oldestUnmatchedAt: Maybe({
      ...Time,
      description: 'when the oldest callback without a recorded activation came',
    }),
    oldestPendingAt: Maybe({
      ...Time,
      description: 'when the oldest pending or partial activation was submitted',
    }),
  },
  { $id: 'Summary', title: 'Summary' },
)
export type SummaryView = Static<typeof SummaryView>

export const summaryRoute: FastifyPluginAsyncTypebox<SummaryRouteOptions> = async (app, { seenBy }) => {
  app.get(
    '/v1/summary',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getSummary',
        summary: 'Everything that a dashboard shows first, for all accounts of the token',
        description: 'From maintained counts: costs the same however much is stored.',
        tags: ['summary'],
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: SummaryView, 304: Type.Null(), 400: ErrorReply, 401: ErrorReply, 403: ErrorReply },
      },
    },
    async request => {
      const { accounts } = accessOf(request)
      const found = await findSummary(seenBy(accounts), accounts)
      return {
        profiles: found.profiles,
        activations: { ...counted(activationStates, found.activations), overdue: found.activations.overdue ?? 0 },
        callbacks: {
          byVerdict: counted(verdicts, found.verdicts),
          perMinute: found.minutes.map(({ minute, count, verdicts: of }) => ({
            minute,
            count,
            byVerdict: counted(verdicts, of),
          })),
        },
        oldestUnmatchedAt: found.oldest_unmatched_at?.toISOString() ?? null,
        oldestPendingAt: found.oldest_pending_at?.toISOString() ?? null,
      }
    },
  )
}

function everyOne<Name extends string>(names: readonly Name[]) {
  return Object.fromEntries(names.map(name => [name, Count])) as Record<Name, typeof Count>
}

function counted<Name extends string>(names: readonly Name[], counts: Record<string, number>): Record<Name, number> {
  return Object.fromEntries(names.map(name => [name, counts[name] ?? 0])) as Record<Name, number>
}
