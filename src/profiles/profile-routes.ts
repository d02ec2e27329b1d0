import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Database } from '../database/pool.ts'
import { accessOf } from '../operating/access.ts'
import { answeredUnchanged, entityTag } from '../operating/etag.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { identifierKinds, isIdentifierKind, normalIdentifier, normalKind } from '../thingspace/identifiers.ts'
import { findDevice, findProfile } from './find-profiles.ts'
import { DeviceView, deviceView, ProfileView, profileTagParts, profileView } from './profile-view.ts'

export interface ProfileRoutesOptions {
  db: Database
}

const Id = Type.String({ maxLength: 64, pattern: '^[^\\x00-\\x1f\\x7f]+$' })
const NoQuery = Type.Object({}, { additionalProperties: false })
const errors = { 400: ErrorReply, 401: ErrorReply, 404: ErrorReply }

export const profileRoutes: FastifyPluginAsyncTypebox<ProfileRoutesOptions> = async (app, { db }) => {
  app.get(
    '/v1/devices/:kind/:id',
    {
      config: { scope: 'read' },
      schema: {
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
      const rows = await findDevice(db, kind, normalIdentifier(kind, request.params.id), accessOf(request).accounts)
      if (rows.length === 0) throw new HttpError(404, 'not found')
      if (answeredUnchanged(request, reply, entityTag(rows.map(profileTagParts)))) return reply
      return deviceView(rows)
    },
  )

  app.get(
    '/v1/profiles/:iccid',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One profile',
        tags: ['profiles'],
        params: Type.Object({ iccid: Id }),
        querystring: NoQuery,
        response: { 200: ProfileView, 304: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const iccid = normalIdentifier('iccid', request.params.iccid)
      const row = await findProfile(db, iccid, accessOf(request).accounts)
      if (row === null) throw new HttpError(404, 'not found')
      if (answeredUnchanged(request, reply, entityTag(profileTagParts(row)))) return reply
      return profileView(row)
    },
  )
}
