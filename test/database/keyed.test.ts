import { inspect } from 'node:util'
import { type Kysely, sql } from 'kysely'
import t from 'tap'
import { findActivation } from '../../src/activations/find-activation.ts'
import { listActivations } from '../../src/activations/list-activations.ts'
import { noEvidence } from '../../src/activations/result.ts'
import { findChanges } from '../../src/changes/find-changes.ts'
import { migrate } from '../../src/database/migrate.ts'
import { type Database, openDatabase } from '../../src/database/pool.ts'
import { findReader, makeReader } from '../../src/database/reader.ts'
import { openReading } from '../../src/database/seen-by.ts'
import type { Tables } from '../../src/database/tables.ts'
import { createCursors } from '../../src/operating/cursor.ts'
import { findDevices, findProfile, findProfiles, lookUpProfiles } from '../../src/profiles/find-profiles.ts'
import { listProfiles } from '../../src/profiles/list-profiles.ts'
import { findHistory, findProfileAsOf } from '../../src/profiles/profile-history.ts'
import { findCallback, findCallbacks, walkCallbacks } from '../../src/receiving/find-callbacks.ts'
import { findSummary } from '../../src/summary/find-summary.ts'
import { mergeCounts } from '../../src/summary/merge-counts.ts'
import { type IdentifierKind, identifierKinds } from '../../src/thingspace/identifiers.ts'
import { connection } from '../fixtures/connection.ts'
import { countNothing } from '../fixtures/count-nothing.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const account = '0000123456-00001'
const rows = 3_000

/** How many ids are asked for in one question. */
const many = 64

t.test('under row-level security a question reads the rows it is about, however many there are', async t => {
  const options = connection(await createEmptyDatabase(t), { connections: 1 })
  const db = openDatabase(options)
  t.teardown(() => db.destroy())
  await migrate(db)
  await makeReader(db)
  await countNothing(db)
  const planned = await openReader()
  await askAll(planned)
  await fill(db)
  await readsLittle('with plans made while nothing was stored', planned)
  await readsLittle('before anything was counted', await openReader())
  await sql`analyze`.execute(db)
  await readsLittle('with statistics', await openReader())

  async function openReader(): Promise<Kysely<Tables>> {
    const reading = openReading(options)
    t.teardown(() => reading.destroy())
    reading.readAs(await findReader(db))
    return reading.seenBy([account])
  }

  async function readsLittle(when: string, seen: Kysely<Tables>) {
    for (const [name, ask] of Object.entries(questions)) {
      const read = await seen.transaction().execute(async trx => {
        const before = await rowsRead(trx)
        t.match(inspect(await ask(trx), { depth: 4 }), /request-|id: '|count: /, `${name} is found`)
        return (await rowsRead(trx)) - before
      })
      const most = name.startsWith('many') ? 5 * many : 60
      t.ok(read > 0 && read < most, `${when}, ${name} reads ${read} rows of ${rows}`)
    }
  }
})

async function askAll(db: Kysely<Tables>): Promise<void> {
  for (const ask of Object.values(questions)) await ask(db)
}

const cursors = createCursors(() => Buffer.alloc(32))
const accounts = [account]
const key = keyOf(1_500)
const iccid = iccidOf(1_500)

const questions: { [name: string]: (db: Kysely<Tables>) => Promise<unknown> } = {
  ...Object.fromEntries(
    identifierKinds.flatMap(kind => {
      const ids = Array.from({ length: many }, (_, n) => idOf(kind, 1_500 + n))
      return [
        [kind, db => findDevices(db, kind, ids.slice(0, 1), accounts, 'all')],
        [`many by ${kind}`, db => findDevices(db, kind, ids, accounts, 'all')],
        [`many by ${kind}, whether they have changed`, db => findDevices(db, kind, ids, accounts, 'version')],
        [
          `many looked up by ${kind}`,
          db =>
            lookUpProfiles(
              db,
              ids.map(id => ({ kind, id })),
              accounts,
            ),
        ],
      ] satisfies [string, (db: Kysely<Tables>) => Promise<unknown>][]
    }),
  ),
  lookup: db =>
    lookUpProfiles(
      db,
      [
        { kind: 'imei', id: idOf('imei', 1_500) },
        { kind: 'mdn', id: idOf('mdn', 1_500) },
      ],
      accounts,
    ),
  profiles: db => listProfiles(db, cursors, { result: 'pending' }, accounts, { limit: 5 }),
  'profiles changed since': db =>
    listProfiles(db, cursors, { changedAfter: '2020-01-01T00:00:00Z' }, accounts, { limit: 5 }),
  profile: db => findProfile(db, iccid, accounts),
  'many profiles': db =>
    findProfiles(
      db,
      Array.from({ length: many }, (_, n) => iccidOf(1_500 + n)),
      accounts,
      'version',
    ),
  'as it was': db => findProfileAsOf(db, iccid, new Date(), accounts),
  history: db => findHistory(db, cursors, iccid, accounts, { limit: 5 }),
  activation: db => findActivation(db, 'request-1500', accounts),
  activations: db => listActivations(db, cursors, {}, accounts, { limit: 5 }),
  'activations overdue': db => listActivations(db, cursors, { overdue: true }, accounts, { limit: 5 }),
  'activations of a time': db =>
    listActivations(db, cursors, { submittedAfter: '2020-01-01T00:00:00Z' }, accounts, { limit: 5 }),
  callback: db => findCallback(db, `00000000-0000-7000-8000-${key.slice(-12)}`, accounts),
  callbacks: db => findCallbacks(db, cursors, {}, accounts, { limit: 5 }),
  'callbacks to go through': db => walkCallbacks(db, {}, accounts, null, 5),
  'callbacks of an activation': db => findCallbacks(db, cursors, { requestId: 'request-1500' }, accounts, {}),
  summary: db => findSummary(db, accounts),
  changes: db => findChanges(db, 1_500n, {}, accounts, 5),
  'changes of a profile': db => findChanges(db, 0n, { iccid }, accounts, 5),
  'changes of an activation': db => findChanges(db, 0n, { requestId: 'request-1500' }, accounts, 5),
}

function keyOf(n: number): string {
  return String(n).padStart(14, '0')
}

function iccidOf(n: number): string {
  return idOf('iccid', n)
}

/** As `fill` makes them. */
function idOf(kind: IdentifierKind, n: number): string {
  const made = { eid: '890010000000000000', iccid: '899990', imei: '', mdn: '1', msisdn: '2' }
  return `${made[kind]}${keyOf(n)}${kind === 'imei' ? '7' : ''}`
}

async function fill(db: Database): Promise<void> {
  const numbers = sql`generate_series(1, ${sql.lit(rows)}) n`
  const key = sql`lpad(n::text, 14, '0')`
  await sql`
    insert into activations (account_name, request_id, recorded_at, submitted_at)
    select ${account}, 'request-' || n, now(), now() from ${numbers}`.execute(db)
  await sql`
    insert into profiles (iccid, account_name, eid, imei, mdn, msisdn, activation_id, evidence, result, source,
      spoken_submitted_at, spoken_final, spoken_at, spoken_by, changed_at, confirmed_at, version)
    select '899990' || ${key}, ${account}, '890010000000000000' || ${key}, ${key} || '0', '1' || ${key}, '2' || ${key}, n,
      '{}', 'pending', 'callback', now(), true, now(), gen_random_uuid(), now(), now(), 1
    from ${numbers}`.execute(db)
  await sql`
    insert into changes (at, kind, account_name, request_id, iccid, becomes, source, profile)
    select now(), 'profile', ${account}, 'request-' || n, '899990' || ${key}, '{}',
      'callback', json_build_object('activationId', n::text, 'evidence', ${JSON.stringify(noEvidence)}::json,
        'changedAt', '2026-01-01T00:00:00Z', 'confirmedAt', '2026-01-01T00:00:00Z', 'lastWord', '{"submittedAt":"2026-01-01T00:00:00Z","at":"2026-01-01T00:00:00Z"}'::json)
    from ${numbers}`.execute(db)
  await sql`
    insert into callbacks (id, account_name, service_name, activation_id, fingerprint, verdict, received_at, last_seen_at, body)
    select ('00000000-0000-7000-8000-' || right(${key}, 12))::uuid, ${account}, 'CarrierService', n, gen_random_uuid(),
      'applied', now(), now(), '{}' from ${numbers}`.execute(db)
  await sql`update activations set overdue = true where request_id = 'request-1500'`.execute(db)
  await sql`update activations set expected_by = now() where request_id = 'request-1501'`.execute(db)
  await mergeCounts(db)
}
