import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { answeredUnchanged, entityTag } from '../operating/etag.ts'
import { ErrorReply } from '../operating/http-error.ts'
import { Page, pageQuery, ViewTime } from '../operating/page.ts'
import { printable } from '../operating/patterns.ts'
import { normalWord } from '../thingspace/words.ts'
import { listProfiles } from './list-profiles.ts'
import { ProfileView, profileTagParts, profileView, whatProfileStatusSays } from './profile-view.ts'

export interface ProfileListRoutesOptions {
  seenBy: SeenBy
  cursors: Cursors
}

/** One of the carrier's words, accepted in any case. */
function word(description: string, example: string) {
  return Type.Optional(
    Type.String({ minLength: 1, maxLength: 128, pattern: printable, description, examples: [example] }),
  )
}

const errors = { 400: ErrorReply, 401: ErrorReply, 403: ErrorReply }

export const profileListRoutes: FastifyPluginAsyncTypebox<ProfileListRoutesOptions> = async (
  app,
  { seenBy, cursors },
) => {
  app.get(
    '/v1/profiles',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listProfiles',
        summary: 'Profiles by account, state, status, role, plan, result and time of change',
        description:
          'In the order of ICCIDs; with changedAfter, in the order of changes, where a profile that changes while the ' +
          'list is being read comes once more. Any filter costs the same, however many profiles are stored.',
        tags: ['profiles'],
        querystring: Type.Object(
          {
            accountName: Type.Optional(Type.String({ minLength: 1, maxLength: 64, pattern: printable })),
            state: word('what ThingSpace says of the line', 'ACTIVE'),
            profileStatus: word(whatProfileStatusSays, 'ENABLE'),
            profileRole: word('LEAD: Verizon; LOCAL: a global carrier', 'LEAD'),
            servicePlan: Type.Optional(Type.String({ minLength: 1, maxLength: 256, pattern: printable })),
            result: Type.Optional(
              Type.Enum(['pending', 'warning', 'succeeded', 'failed', 'conflict'], {
                description: 'the result of the activation that last spoke of it',
              }),
            ),
            changedAfter: ViewTime,
            ...pageQuery,
          },
          { additionalProperties: false },
        ),
        response: { 200: Page(ProfileView), 304: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const { limit, cursor, ...filter } = request.query
      const wanted = {
        ...filter,
        state: normalWord(filter.state) ?? undefined,
        profileStatus: normalWord(filter.profileStatus) ?? undefined,
        profileRole: normalWord(filter.profileRole) ?? undefined,
      }
      const { accounts } = accessOf(request)
      const { rows, next, prev } = await listProfiles(seenBy(accounts), cursors, wanted, accounts, { limit, cursor })
      if (answeredUnchanged(request, reply, entityTag([rows.map(profileTagParts), next, prev]))) return reply
      return { items: rows.map(profileView), next, prev }
    },
  )
}
