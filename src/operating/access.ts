import { hash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { HttpError } from './http-error.ts'

export const scopes = ['read', 'activate', 'operate', 'credentials', 'metrics'] as const
export type Scope = (typeof scopes)[number]

export interface ApiToken {
  name: string
  scopes: Scope[]
  /** `['*']` means all. */
  accounts: string[]
  digest: Buffer
}

/** What the bearer of a request may see. */
export interface Access {
  name: string
  accounts: Accounts
  scopes: readonly Scope[]
}

export type Accounts = '*' | readonly string[]

export const everything: Access = { name: 'try-out', accounts: '*', scopes }

/** The digest of the token in `Authorization: Bearer`. Throws 401 without one. */
export function bearerDigest(authorization: string | undefined): Buffer {
  const digest = digestOf(authorization)
  if (digest === null) throw new HttpError(401, 'send a token: Authorization: Bearer <token>')
  return digest
}

/** The same, but null without one. */
export function digestOf(authorization: string | undefined): Buffer | null {
  const [, secret] = /^Bearer +(\S+)$/i.exec(authorization ?? '') ?? []
  return secret === undefined ? null : hash('sha256', secret, 'buffer')
}

/** Takes the same time whatever the digest. */
export function findToken(tokens: readonly ApiToken[], digest: Buffer): ApiToken | null {
  return tokens.reduce<ApiToken | null>(
    (found, candidate) => (timingSafeEqual(candidate.digest, digest) ? candidate : found),
    null,
  )
}

/** What the bearer of this token may see. Throws 401 without a known one, 403 without the scope. */
export function authorize(token: ApiToken | null, scope: Scope): Access {
  if (token === null) throw new HttpError(401, 'the token is not known, or was revoked')
  if (!token.scopes.includes(scope)) throw new HttpError(403, `the token lacks the scope ${scope}`)
  return { name: token.name, accounts: token.accounts.includes('*') ? '*' : token.accounts, scopes: token.scopes }
}

export function maySee(accounts: Accounts, accountName: string): boolean {
  return accounts === '*' || accounts.includes(accountName)
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Only the guard sets it. */
    [granted]?: Access | null
  }
}

/**
 * Only this file can write or read it. A property rather than a WeakMap, whose look-ups cost the garbage collector
 * much.
 */
const granted = Symbol('granted')

/** Every request has the property from the start: adding it later would make the object slow to read. */
export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest(granted, null)
}

export function grant(request: FastifyRequest, access: Access): void {
  request[granted] = access
}

/** What this request was granted. A route that is not guarded gets nothing. */
export function accessOf(request: FastifyRequest): Access {
  const access = request[granted]
  if (!access) throw new HttpError(401, 'send a token: Authorization: Bearer <token>')
  return access
}
