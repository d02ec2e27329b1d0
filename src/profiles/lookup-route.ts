import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { noControlCharacter } from '../operating/patterns.ts'
import {
  type Identifier,
  type IdentifierKind,
  identifierKinds,
  isIdentifierKind,
  normalIdentifier,
  normalKind,
} from '../thingspace/identifiers.ts'
import { lookUpProfiles } from './find-profiles.ts'
import { ProfileView, profileView } from './profile-view.ts'

export interface LookupRouteOptions {
  seenBy: SeenBy
}

const Id = Type.Object(
  {
    kind: Type.String({ maxLength: 16, description: `one of ${identifierKinds.join(', ')}, in any case` }),
    id: Type.String({ minLength: 1, maxLength: 64, pattern: noControlCharacter }),
  },
  { additionalProperties: false },
)
const errors = { 400: ErrorReply, 401: ErrorReply, 403: ErrorReply }

export const lookupRoute: FastifyPluginAsyncTypebox<LookupRouteOptions> = async (app, { seenBy }) => {
  app.post(
    '/v1/profiles/lookup',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'lookUpProfiles',
        summary: 'The profiles of up to 1,000 identifiers, and which of these have none',
        description:
          'Each profile once, in the order of the ids. An EID or IMEI stands for all profiles that carry it. `missing` ' +
          'lists ids as they were sent.',
        tags: ['profiles'],
        querystring: Type.Object({}, { additionalProperties: false }),
        body: Type.Object(
          { ids: Type.Array(Id, { minItems: 1, maxItems: 1_000, examples: [[{ kind: 'eid', id: '8900' }]] }) },
          { additionalProperties: false },
        ),
        response: {
          200: Type.Object({ items: Type.Array(ProfileView), missing: Type.Array(Id) }, { title: 'LookedUp' }),
          ...errors,
        },
      },
    },
    async request => {
      const { ids } = request.body
      const { accounts } = accessOf(request)
      const found = await lookUpProfiles(seenBy(accounts), ids.map(normalId), accounts)
      const items = new Map(found.flat().map(row => [`${row.iccid} ${row.account_name}`, row]))
      return { items: [...items.values()].map(profileView), missing: ids.filter((_, at) => found[at]?.length === 0) }
    },
  )
}

function normalId({ kind, id }: Identifier, at: number): { kind: IdentifierKind; id: string } {
  const normal = normalKind(kind)
  if (!isIdentifierKind(normal)) {
    throw new HttpError(400, `body: ids.${at}.kind must be one of ${identifierKinds.join(', ')}`)
  }
  return { kind: normal, id: normalIdentifier(normal, id) }
}
