import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { ChangeView, changeView } from '../changes/change-view.ts'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import type { Cursors } from '../operating/cursor.ts'
import { answeredUnchanged, entityTag } from '../operating/etag.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { Page, pageQuery } from '../operating/page.ts'
import { noControlCharacter } from '../operating/patterns.ts'
import { readTime } from '../operating/read-time.ts'
import { identifierKinds, isIdentifierKind, normalIdentifier, normalKind } from '../thingspace/identifiers.ts'
import { findProfile } from './find-profiles.ts'
import { findHistory, findProfileAsOf } from './profile-history.ts'
import { type Answer, createProfileLoader } from './profile-loader.ts'
import { DeviceView, ProfileView, profileTagParts, profileView } from './profile-view.ts'

export interface ProfileRoutesOptions {
  seenBy: SeenBy
  cursors: Cursors
}

const Id = Type.String({ maxLength: 64, pattern: noControlCharacter })
const Params = Type.Object({ iccid: Id })
const NoQuery = Type.Object({}, { additionalProperties: false })
const errors = { 400: ErrorReply, 401: ErrorReply, 404: ErrorReply }

export const profileRoutes: FastifyPluginAsyncTypebox<ProfileRoutesOptions> = async (app, { seenBy, cursors }) => {
  const loader = createProfileLoader(seenBy)

  app.get(
    '/v1/devices/:kind/:id',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getDevice',
        summary: 'All profiles of the device that an identifier names',
        tags: ['profiles'],
        params: Type.Object({
          kind: Type.String({ description: `one of ${identifierKinds.join(', ')}, in any case` }),
          id: Id,
        }),
        querystring: NoQuery,
        response: { 200: DeviceView, 304: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const kind = normalKind(request.params.kind)
      if (!isIdentifierKind(kind)) throw new HttpError(400, `kind must be one of ${identifierKinds.join(', ')}`)
      const id = normalIdentifier(kind, request.params.id)
      return sendAnswer(request, reply, await loader.device(kind, id, accessOf(request).accounts))
    },
  )

  app.get(
    '/v1/profiles/:iccid',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'getProfile',
        summary: 'One profile, as it is or as it was known at a given time',
        tags: ['profiles'],
        params: Params,
        querystring: Type.Object(
          { asOf: Type.Optional(Type.String({ format: 'date-time', description: 'RFC 3339' })) },
          { additionalProperties: false },
        ),
        response: { 200: ProfileView, 304: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const { asOf } = request.query
      const { accounts } = accessOf(request)
      const iccid = normalIdentifier('iccid', request.params.iccid)
      if (asOf === undefined) return sendAnswer(request, reply, await loader.profile(iccid, accounts))
      const row = await findProfileAsOf(seenBy(accounts), iccid, readTime('asOf', asOf), accounts)
      if (row === null) throw new HttpError(404, 'not found')
      if (answeredUnchanged(request, reply, entityTag(profileTagParts(row)))) return reply
      return profileView(row)
    },
  )

  app.get(
    '/v1/profiles/:iccid/history',
    {
      config: { scope: 'read' },
      schema: {
        operationId: 'listHistory',
        summary: 'Every change of a profile with its cause, newest first',
        tags: ['profiles'],
        params: Params,
        querystring: Type.Object(pageQuery, { additionalProperties: false }),
        response: { 200: Page(ChangeView), ...errors },
      },
    },
    async request => {
      const iccid = normalIdentifier('iccid', request.params.iccid)
      const { accounts } = accessOf(request)
      const profile = await findProfile(seenBy(accounts), iccid, accounts)
      if (profile === null) throw new HttpError(404, 'not found')
      const { rows, next, prev } = await findHistory(seenBy(accounts), cursors, iccid, accounts, request.query)
      return { items: rows.map(row => changeView(row, cursors)), next, prev }
    },
  )
}

function sendAnswer(request: FastifyRequest, reply: FastifyReply, answer: Answer | null): FastifyReply {
  if (answer === null) throw new HttpError(404, 'not found')
  if (answeredUnchanged(request, reply, answer.tag)) return reply
  return reply.type('application/json; charset=utf-8').serializer(asItIs).send(answer.body)
}

function asItIs(text: string): string {
  return text
}
