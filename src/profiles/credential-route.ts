import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import type { Database } from '../database/pool.ts'
import type { SeenBy } from '../database/seen-by.ts'
import { accessOf } from '../operating/access.ts'
import { ErrorReply, HttpError } from '../operating/http-error.ts'
import { noControlCharacter } from '../operating/patterns.ts'
import { Maybe } from '../operating/schemas.ts'
import type { Sealer } from '../secrets/sealer.ts'
import { normalIdentifier } from '../thingspace/identifiers.ts'
import { findCredential } from './find-credential.ts'

export interface CredentialRouteOptions {
  db: Database
  seenBy: SeenBy
  keys: () => { sealer: Sealer } | null
}

const Credential = Type.Object(
  {
    iccid: Type.String(),
    username: Maybe(Type.String()),
    password: Maybe(Type.String()),
    callbackId: Type.String({ description: 'the callback that brought it' }),
  },
  {
    title: 'Credential',
    examples: [
      {
        iccid: '89999000000000000015',
        username: 'user@example.invalid',
        password: 'made-up',
        callbackId: '01a20a16-396c-7518-afb5-fed56c42cc40',
      },
    ],
  },
)

/** The login and password of a device, in clear: a scope of its own, never cached, every look audited. */
export const credentialRoute: FastifyPluginAsyncTypebox<CredentialRouteOptions> = async (app, { db, seenBy, keys }) => {
  app.get(
    '/v1/profiles/:iccid/credential',
    {
      config: { scope: 'credentials' },
      schema: {
        operationId: 'getCredential',
        summary: 'The deviceCredential of a profile, in clear',
        tags: ['profiles'],
        params: Type.Object({ iccid: Type.String({ maxLength: 64, pattern: noControlCharacter }) }),
        querystring: Type.Object({}, { additionalProperties: false }),
        response: { 200: Credential, 400: ErrorReply, 401: ErrorReply, 403: ErrorReply, 404: ErrorReply },
      },
    },
    async (request, reply) => {
      const known = keys()
      if (known === null) throw new HttpError(503, 'not available now; ask again', { 'retry-after': '1' })
      const iccid = normalIdentifier('iccid', request.params.iccid)
      const credential = await findCredential(seenBy, db, known.sealer, iccid, accessOf(request))
      if (credential === null) throw new HttpError(404, 'not found')
      reply.header('cache-control', 'no-store')
      return credential
    },
  )
}
