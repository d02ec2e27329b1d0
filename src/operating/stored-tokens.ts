import { createHash, randomBytes } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Tables } from '../database/tables.ts'
import { type ApiToken, type Scope, scopes } from './access.ts'

/** The tokens made by command, as the service checks them. */
export interface StoredTokens {
  live: ApiToken[]
  /** Whether there ever was one: revoking a token does not bring the try-out mode back. */
  any: boolean
}

export interface TokenView {
  name: string
  scopes: string[]
  accounts: string[]
  createdAt: string
}

export type TokenWish = Pick<ApiToken, 'name' | 'scopes' | 'accounts'>

export class TokenNameTaken extends Error {
  override name = 'TokenNameTaken'
}

/** Makes a stray token recognisable among other strings. */
const prefix = 'tscr_'

/** Makes a token and returns it, just this once: only its digest is kept. Throws `TokenNameTaken`. */
export async function createToken(db: Kysely<Tables>, { name, scopes, accounts }: TokenWish): Promise<string> {
  const token = `${prefix}${randomBytes(32).toString('base64url')}`
  const digest = createHash('sha256').update(token).digest()
  const made = await db
    .insertInto('api_tokens')
    .values({ name, digest, scopes, accounts })
    .onConflict(conflict => conflict.column('name').where('revoked_at', 'is', null).doNothing())
    .executeTakeFirst()
  if (made.numInsertedOrUpdatedRows !== 1n) throw new TokenNameTaken(name)
  return token
}

/** The valid ones, by name. */
export async function listTokens(db: Kysely<Tables>): Promise<TokenView[]> {
  const rows = await db
    .selectFrom('api_tokens')
    .select(['name', 'scopes', 'accounts', 'created_at'])
    .where('revoked_at', 'is', null)
    .orderBy('name')
    .execute()
  return rows.map(({ created_at, ...row }) => ({ ...row, createdAt: created_at.toISOString() }))
}

/** False when no valid token has that name. */
export async function revokeToken(db: Kysely<Tables>, name: string): Promise<boolean> {
  const revoked = await db
    .updateTable('api_tokens')
    .set({ revoked_at: sql<Date>`clock_timestamp()` })
    .where('name', '=', name)
    .where('revoked_at', 'is', null)
    .executeTakeFirst()
  return revoked.numUpdatedRows === 1n
}

/** Whether there is any is asked first: a token made in between is then known either completely or not at all. */
export async function loadTokens(db: Kysely<Tables>): Promise<StoredTokens> {
  const any = await isThereAny(db)
  const { rows } = await sql<{ name: string; digest: Buffer; scopes: string[]; accounts: string[] }>`
    select name, digest, scopes, accounts from api_tokens where revoked_at is null order by name`.execute(db)
  const live = rows.map(row => ({ ...row, scopes: row.scopes.filter(isScope) }))
  return { live, any: any || live.length > 0 }
}

async function isThereAny(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`select exists (select from api_tokens) as found`.execute(db)
  return rows[0]?.found === true
}

function isScope(text: string): text is Scope {
  return (scopes as readonly string[]).includes(text)
}
