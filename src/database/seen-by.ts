import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely'
import type { Pool, PoolClient } from 'pg'
import { type Database, type DatabaseOptions, openPool } from './pool.ts'
import type { Tables } from './tables.ts'
import { together } from './together.ts'

/** The database as seen by somebody with access to these accounts: `findProfile(seenBy(accounts), ...)`. */
export type SeenBy = (accounts: '*' | readonly string[]) => Database

/** Connections for answering questions. PostgreSQL itself restricts every statement on them to the asker's accounts. */
export interface Reading {
  seenBy: SeenBy
  /** Called once the readers' role is known, or with null when there is none. Until then nothing can be asked. */
  readAs(reader: string | null): void
  destroy(): Promise<void>
}

export function openReading(options: DatabaseOptions): Reading {
  const pool = openPool({ ...options, planOnce: true })
  const views = new Map<string, Database>()
  /** What each connection is set to. A connection whose setting is in doubt is not in here. */
  const settings = new WeakMap<PoolClient, string>()
  let reader: string | null | undefined

  async function connect(accounts: string): Promise<PostgresPoolClient> {
    if (reader === undefined) throw notOpen()
    const client = await pool.connect()
    if (reader === null || settings.get(client) === accounts) return client as unknown as PostgresPoolClient
    settings.delete(client)
    // The caller's statement follows at once, in the same round trip; its answer only counts if this one succeeded.
    const set = client.query(enter, [reader, accounts]).then(() => {
      settings.set(client, accounts)
    })
    set.catch(() => undefined)
    return {
      query: async (...args: Parameters<PostgresPoolClient['query']>) => {
        const [, answer] = await together([set, client.query(...(args as unknown as [string, unknown[]]))])
        return answer
      },
      release: (destroy?: boolean) => client.release(destroy),
    } as unknown as PostgresPoolClient
  }

  return {
    seenBy(accounts) {
      const key = accounts === '*' ? '*' : accounts.join('\n')
      const known = views.get(key)
      if (known !== undefined) return known
      const view = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: viewOf(pool, () => connect(key)) }) })
      views.set(key, view)
      return view
    },
    readAs(role) {
      reader = role
    },
    destroy: () => pool.end(),
  }
}

/** For the session: while its connections serve the same accounts, nothing is sent besides the query itself. */
const enter = "select set_config('role', $1, false), set_config('thingspace.accounts', $2, false)"

function viewOf(pool: Pool, connect: () => Promise<PostgresPoolClient>) {
  return { connect, options: pool.options, end: async () => undefined }
}

/** The way the server itself says that it can't be asked yet. */
function notOpen(): Error {
  return Object.assign(new Error('the database was not opened yet'), { code: '57P03' })
}
