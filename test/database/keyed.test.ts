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
import { findDevices, findProfile, lookUpProfiles } from '../../src/profiles/find-profiles.ts'
import { listProfiles } from '../../src/profiles/list-profiles.ts'
import { findHistory, findProfileAsOf } from '../../src/profiles/profile-history.ts'
import { findCallback, findCallbacks, walkCallbacks } from '../../src/receiving/find-callbacks.ts'
import { findSummary } from '../../src/summary/find-summary.ts'
import { mergeCounts } from '../../src/summary/merge-counts.ts'
import { connection } from '../fixtures/connection.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const account = '0000123456-00001'
const rows = 3_000

t.test('under row-level security a question reads the rows it is about, however many there are', async t => {
  const options = connection(await createEmptyDatabase(t), { connections: 1 })
  const db = openDatabase(options)
  const reading = openReading(options)
  t.teardown(() => Promise.all([db.destroy(), reading.destroy()]))
  await migrate(db)
  await makeReader(db)
  reading.readAs(await findReader(db))
  await fill(db)

  const cursors = createCursors(() => Buffer.alloc(32))
  const key = '00000000001500'
  const iccid = `899990${key}`
  const accounts = [account]
  const questions: { [name: string]: (db: Kysely<Tables>) => Promise<unknown> } = {
    eid: db => findDevices(db, 'eid', [`890010000000000000${key}`], accounts, 'all'),
    iccid: db => findDevices(db, 'iccid', [iccid], accounts, 'all'),
    imei: db => findDevices(db, 'imei', [`${key}7`], accounts, 'all'),
    mdn: db => findDevices(db, 'mdn', [`1${key}`], accounts, 'all'),
    msisdn: db => findDevices(db, 'msisdn', [`2${key}`], accounts, 'all'),
    lookup: db =>
      lookUpProfiles(
        db,
        [
          { kind: 'imei', id: `${key}7` },
          { kind: 'mdn', id: `1${key}` },
        ],
        accounts,
      ),
    profiles: db => listProfiles(db, cursors, { result: 'pending' }, accounts, { limit: 5 }),
    'profiles changed since': db =>
      listProfiles(db, cursors, { changedAfter: '2020-01-01T00:00:00Z' }, accounts, { limit: 5 }),
    profile: db => findProfile(db, iccid, accounts),
    'as it was': db => findProfileAsOf(db, iccid, new Date(), accounts),
    history: db => findHistory(db, cursors, iccid, [account], { limit: 5 }),
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
  }
  for (const [name, ask] of Object.entries(questions)) {
    const read = await reading
      .seenBy(accounts)
      .transaction()
      .execute(async trx => {
        // After five times a plan may be chosen that serves any values: that one counts.
        for (let n = 0; n < 6; n += 1) await ask(trx)
        const before = await rowsRead(trx)
        const found = inspect(await ask(trx), { depth: 4 })
        t.match(found, /request-|id: '|count: /, `${name} is found`)
        return (await rowsRead(trx)) - before
      })
    t.ok(read > 0 && read < 60, `${name} reads ${read} rows of ${rows}`)
  }
})

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
  await sql`analyze`.execute(db)
}
