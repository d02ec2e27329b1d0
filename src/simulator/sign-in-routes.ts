import type { FastifyInstance } from 'fastify'
import { Refusal } from './error-answer.ts'
import type { Gate } from './gate.ts'
import type { Sessions } from './sessions.ts'

/** OAuth token and session login. */
export const signInRoutes = (app: FastifyInstance, gate: Gate, sessions: Sessions): void => {
  const parseAs = 'application/x-www-form-urlencoded'
  app.addContentTypeParser(parseAs, { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )

  app.post('/api/ts/v1/oauth2/token', async ({ headers, body }) => {
    gate.refuseOnRequest('token')
    const basic = /^Basic (\S+)$/.exec(headers.authorization ?? '')?.[1]
    const [key, ...secret] = Buffer.from(basic ?? '', 'base64')
      .toString()
      .split(':')
    const { grant_type: grant } = (body ?? {}) as { grant_type?: string }
    if (grant !== 'client_credentials') throw oauthRefusal(400, 'unsupported_grant_type', 'Unsupported grant type')
    const given = key && secret.length > 0 ? sessions.giveToken(key, secret.join(':')) : null
    if (!given) throw oauthRefusal(401, 'invalid_client', 'A valid OAuth client could not be found')
    return given
  })

  app.post('/api/m2m/v1/session/login', async ({ headers, body }) => {
    gate.refuseOnRequest('login')
    sessions.checkToken(headers.authorization)
    const { username, password } = (body ?? {}) as { username?: unknown; password?: unknown }
    return sessions.logIn(String(username), String(password))
  })
}

const oauthRefusal = (status: number, error: string, description: string) =>
  new Refusal({ status, type: 'application/json', body: JSON.stringify({ error, error_description: description }) })
