import { parseArgs } from 'node:util'
import type { Database } from '../database/pool.ts'
import { type Scope, scopes } from '../operating/access.ts'
import { createToken, listTokens, revokeToken, TokenNameTaken, type TokenWish } from '../operating/stored-tokens.ts'
import { databaseAlone, withDatabase } from './command-database.ts'
import { alignColumns, CannotDo, command, readAction, type Terminal, WrongUsage } from './command-line.ts'

const usage = `npm run token -- create --name NAME --account ACCOUNT --scope SCOPE [--json]
npm run token -- list [--json]
npm run token -- revoke NAME [--json]

  Bearer tokens for callers of the API. A running service accepts a new token, and refuses a revoked one, within
  2 seconds. The first token ends the try-out mode for good.

  create   makes a token and prints it, this once, alone on the last line; only its SHA-256 is kept
  list     the valid ones by name, without the tokens themselves
  revoke   ends a token, and the requests under way with it

  --name NAME        what the token is for: letters, digits, dot, dash, underscore
  --account ACCOUNT  an account that it may see; may be repeated; '*' means all of them
  --scope SCOPE      what it may do; may be repeated; one of ${scopes.join(', ')}
  --json             JSON for programs

  DATABASE_URL       the service's database; without it the embedded one in DATA_DIR
`

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const nameRule = 'a name is up to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit'
const accountPattern = /^[A-Za-z0-9._-]{1,64}$/

const actions = { create, list, revoke }

export const tokenCommand = command(usage, async (args, terminal) => {
  const action = readAction(args, Object.keys(actions) as (keyof typeof actions)[])
  return actions[action](args.slice(1), terminal)
})

async function create(args: string[], { env, say }: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      account: { type: 'string', multiple: true },
      scope: { type: 'string', multiple: true },
      json: { type: 'boolean' },
    },
  })
  const [stray] = positionals
  if (stray !== undefined) throw new WrongUsage("one argument too many; in a shell, the account * is written '*'")
  const wish = readWish(values.name, values.account ?? [], values.scope ?? [])
  const token = await withDatabase(databaseAlone(env), db => make(db, wish))
  if (values.json) {
    say(JSON.stringify({ name: wish.name, token, scopes: wish.scopes, accounts: wish.accounts }))
  } else {
    const accounts = wish.accounts.includes('*') ? 'all accounts' : wish.accounts.join(', ')
    say(`token ${wish.name}: may ${wish.scopes.join(', ')} for ${accounts}`)
    say('Save it now, it can not be shown again. A running service accepts it within 2 seconds.')
    say(token)
  }
  return 0
}

async function make(db: Database, wish: TokenWish): Promise<string> {
  try {
    return await createToken(db, wish)
  } catch (error) {
    if (!(error instanceof TokenNameTaken)) throw error
    throw new CannotDo(`there is a token with the name ${wish.name}: revoke it first, or choose another name`)
  }
}

async function list(args: string[], { env, say }: Terminal): Promise<number> {
  const { values } = parseArgs({ args, options: { json: { type: 'boolean' } } })
  const tokens = await withDatabase(databaseAlone(env), listTokens)
  if (values.json) {
    say(JSON.stringify({ items: tokens }))
  } else if (tokens.length === 0) {
    say('no tokens')
  } else {
    const rows = tokens.map(one => [one.name, one.scopes.join(','), one.accounts.join(','), one.createdAt])
    for (const line of alignColumns([['NAME', 'SCOPES', 'ACCOUNTS', 'CREATED'], ...rows])) say(line)
  }
  return 0
}

async function revoke(args: string[], { env, say }: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({ args, allowPositionals: true, options: { json: { type: 'boolean' } } })
  const [name, ...more] = positionals
  if (name === undefined || more.length > 0) throw new WrongUsage('revoke takes the name of one token')
  // If somebody passes the token instead of its name, it must not end up in a log.
  if (!namePattern.test(name)) throw new WrongUsage(nameRule)
  const revoked = await withDatabase(databaseAlone(env), db => revokeToken(db, name))
  if (!revoked) throw new CannotDo('there is no valid token with that name; see npm run token -- list')
  say(
    values.json
      ? JSON.stringify({ name, revoked })
      : `revoked ${name}: every running service refuses it within 2 seconds`,
  )
  return 0
}

function readWish(name: string | undefined, accounts: readonly string[], wished: readonly string[]): TokenWish {
  if (name === undefined) throw new WrongUsage('give the token a name: --name NAME')
  if (!namePattern.test(name)) throw new WrongUsage(`--name: ${nameRule}`)
  if (accounts.length === 0) throw new WrongUsage("say what it may see: --account ACCOUNT, or --account '*' for all")
  if (accounts.some(account => account !== '*' && !accountPattern.test(account))) {
    throw new WrongUsage("--account: one account such as 0000123456-00001, or '*'; repeat it for more")
  }
  if (accounts.includes('*') && accounts.length > 1)
    throw new WrongUsage("--account '*' means all accounts: name no other")
  if (wished.length === 0) throw new WrongUsage(`say what it may do: --scope, one of ${scopes.join(', ')}`)
  return { name, accounts: [...new Set(accounts)], scopes: [...new Set(wished.map(readScope))] }
}

function readScope(text: string): Scope {
  const scope = scopes.find(known => known === text)
  if (scope === undefined) throw new WrongUsage(`--scope: one of ${scopes.join(', ')}; repeat it for more`)
  return scope
}
