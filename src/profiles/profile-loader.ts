import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { SeenBy } from '../database/seen-by.ts'
import { shareRoundTrips } from '../database/share-round-trips.ts'
import type { Accounts } from '../operating/access.ts'
import { entityTag } from '../operating/etag.ts'
import type { IdentifierKind } from '../thingspace/identifiers.ts'
import { findDevices, findProfiles, type Named, type Shown, type Written } from './find-profiles.ts'
import { deviceView, profileView } from './profile-view.ts'

/** What is sent to the caller: the JSON text and its entity tag. */
export interface Answer {
  tag: string
  body: string
}

export interface ProfileLoader {
  /** null: no profile that these accounts may see carries the identifier. */
  device(kind: IdentifierKind, id: string, accounts: Accounts): Promise<Answer | null>
  profile(iccid: string, accounts: Accounts): Promise<Answer | null>
}

interface Kept {
  /** The version of the rows that it was made from. */
  version: string
  answer: Answer
}

/**
 * What is asked for (all profiles of the device that carries an identifier of that kind, or the one profile), and by
 * whom.
 */
interface Sought {
  kind: IdentifierKind
  whole: boolean
  accounts: Accounts
}

const keptBytes = 32 * 2 ** 20

/**
 * Answers about single devices and profiles. Callers who ask at the same time share a round trip. Answers are kept as
 * text; the database is asked every time whether they still hold, which costs a fraction of reading everything again.
 * So nobody ever gets less than what was committed before the question.
 */
export function createProfileLoader(seenBy: SeenBy): ProfileLoader {
  const kept = new LRUCache<string, Kept>({
    maxSize: keptBytes,
    sizeCalculation: ({ answer, version }, key) => 2 * key.length + version.length + answer.body.length + 200,
  })
  const askers = new Map<string, Sought>()
  const load = shareRoundTrips<Answer | null>(async (key, ids) => {
    const sought = askers.get(key)
    if (sought === undefined) throw new Error('nobody asks without being noted')
    const answers = await stillTrue(sought, key, ids)
    const unknown = ids.filter(id => !answers.has(id))
    if (unknown.length > 0) {
      const rows = await find(sought, unknown, 'all')
      for (const [at, id] of unknown.entries()) answers.set(id, keep(sought, key + id, rows[at] ?? []))
    }
    return ids.map(id => answers.get(id) ?? null)
  })

  function note(sought: Sought): string {
    const key = keyOf(sought)
    if (!askers.has(key)) askers.set(key, sought)
    return key
  }

  /** Of the ids whose answers are kept, those whose rows have not changed. */
  async function stillTrue(sought: Sought, key: string, ids: readonly string[]): Promise<Map<string, Answer | null>> {
    const answers = new Map<string, Answer | null>()
    const known = ids.flatMap(id => {
      const found = kept.get(key + id)
      return found === undefined ? [] : [{ id, found }]
    })
    if (known.length === 0) return answers
    const wanted = known.map(({ id }) => id)
    const rows = await find(sought, wanted, 'version')
    for (const [at, { id, found }] of known.entries()) {
      if (versionOf(rows[at] ?? []) === found.version) answers.set(id, found.answer)
    }
    return answers
  }

  function find<Columns extends keyof Shown>({ kind, whole, accounts }: Sought, ids: string[], columns: Columns) {
    const db = seenBy(accounts)
    return whole ? findDevices(db, kind, ids, accounts, columns) : findProfiles(db, ids, accounts, columns)
  }

  function keep({ whole }: Sought, key: string, rows: Written<Shown['all']>[]): Answer | null {
    const [first] = rows
    if (first === undefined) {
      kept.delete(key)
      return null
    }
    const body = JSON.stringify(whole ? deviceView(rows) : profileView(first))
    const answer = { tag: entityTag(body), body }
    kept.set(key, { version: versionOf(rows), answer })
    return answer
  }

  return {
    device: (kind, id, accounts) => load(note({ kind, whole: true, accounts }), id),
    profile: (iccid, accounts) => load(note({ kind: 'iccid', whole: false, accounts }), iccid),
  }
}

/** Short, however many accounts there are: it is a part of the key of every answer that is kept. */
function keyOf({ kind, whole, accounts }: Sought): string {
  return `${kind} ${whole} ${accounts === '*' ? '*' : nameOf(accounts)} `
}

const names = new WeakMap<readonly string[], string>()

function nameOf(accounts: readonly string[]): string {
  const name = names.get(accounts) ?? hash('sha256', JSON.stringify(accounts), 'base64url')
  names.set(accounts, name)
  return name
}

/**
 * Changes whenever a row is rewritten, added or removed, or its activation gets another name or operation. One
 * transaction may write several rows, so the key is part of it.
 */
function versionOf(rows: readonly Written<Named>[]): string {
  return rows.map(row => [row.iccid, row.account_name, row.written, row.request_id, row.operation].join(' ')).join()
}
