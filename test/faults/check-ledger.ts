import assert from 'node:assert/strict'
import { device } from '../fixtures/make-callback.ts'
import type { ServerProcess } from '../fixtures/server-process.ts'
import { request, type Sent, settle } from './load.ts'
import { deviceSecret, listener, token } from './stage.ts'

// biome-ignore lint/suspicious/noExplicitAny: rows of any shape
type Sql = (text: string, values?: unknown[]) => Promise<any[]>

export interface Checked {
  sent: number
  acknowledged: number
  /** Had no known end while the fault lasted, and were acknowledged when they were sent again. */
  unknown: number
  lost: number
  doubled: number
}

/** What one replica may hold of the database's connections: 3, 8, 4, 1 for callers and 1 that listens. */
const connectionsOfReplica = 17

/**
 * The sender's ledger against the database and the API, after a fault. Sends again what has no known end first. Throws
 * for what is wrong; the counts are for telling.
 */
export async function checkLedger(sql: Sql, servers: readonly ServerProcess[], ledger: Sent[]): Promise<Checked> {
  const urls = () => servers.map(({ url }) => url)
  const unknown = ledger.filter(({ outcome }) => outcome === 'unknown')
  const lost = await lostOf(sql, ledger)
  assert.deepEqual(lost, [], 'what was acknowledged is stored')
  assert.deepEqual(
    ledger.filter(({ outcome }) => outcome === 'refused'),
    [],
    'nothing authentic is refused',
  )
  await settle({ urls }, ledger)
  assert.deepEqual(await lostOf(sql, ledger), [], 'what was acknowledged after the fault is stored')

  const sent = new Map(ledger.map(entry => [entry.requestId, entry]))
  const stored = await sql(`
    select a.request_id as "requestId", count(*)::int as callbacks, min(c.id::text) as id,
      (select count(*)::int from results r where r.activation_id = a.id) as effects,
      (select count(*)::int from changes h where h.request_id = a.request_id and h.kind = 'result') as settled,
      (select count(*)::int from changes h where h.request_id = a.request_id and h.kind = 'profile') as changes,
      a.status, a.recorded_at is not null as recorded
    from callbacks c join activations a on a.id = c.activation_id group by a.id`)
  const doubled = stored.filter(({ callbacks, effects, changes }) => callbacks > 1 || effects > 1 || changes > 1)
  assert.deepEqual(doubled, [], 'each is stored once, with one effect and one change of its profile')
  assert.equal(stored.length, ledger.length, 'what was sent, and nothing else, is stored')
  for (const { requestId, id, effects, settled, changes, status, recorded } of stored) {
    const entry = sent.get(requestId)
    assert.ok(entry, `${requestId} was never sent`)
    assert.ok(idsOf(entry).includes(id), `${requestId} is the callback that was told`)
    assert.deepEqual({ effects, changes }, { effects: 1, changes: 1 }, requestId)
    assert.equal(recorded, entry.recorded === 'yes', `${requestId} is recorded`)
    if (!recorded) continue
    assert.equal(status, 'succeeded', `${requestId} does not wait for a callback that came`)
    assert.equal(settled, 1, `${requestId} was settled once`)
  }
  await checkAnswers(urls(), ledger)
  for (const { output } of servers) {
    const secrets = [deviceSecret, listener.password, token, device(ledger[0]?.n ?? 0).iccid]
    assert.ok(!secrets.some(secret => output.some(line => line.includes(secret))), 'nothing secret is logged')
  }
  const [{ open }] = await sql(`
    select count(*)::int as open from pg_stat_activity
    where datname = current_database() and application_name like 'thingspace %'`)
  assert.ok(open <= servers.length * connectionsOfReplica, `${open} connections are open`)
  const acknowledged = ledger.length - unknown.length
  return { sent: ledger.length, acknowledged, unknown: unknown.length, lost: lost.length, doubled: doubled.length }
}

async function lostOf(sql: Sql, ledger: readonly Sent[]): Promise<string[]> {
  const taken = ledger.filter(sent => sent.outcome === 'ok' && idsOf(sent).length > 0)
  const rows = await sql('select id::text from callbacks where id = any($1::uuid[])', [taken.flatMap(idsOf)])
  const stored = new Set(rows.map(({ id }) => id))
  return taken.filter(sent => !idsOf(sent).some(id => stored.has(id))).map(({ requestId }) => requestId)
}

function idsOf({ callbackId, spooledIds }: Sent): string[] {
  return callbackId === null ? spooledIds : [callbackId]
}

/** A sample through the API: the first, the last and some between. */
async function checkAnswers(urls: readonly string[], ledger: readonly Sent[]): Promise<void> {
  const step = Math.max(1, Math.floor(ledger.length / 8))
  for (const [at, { n, requestId, recorded }] of ledger.entries()) {
    if (at % step !== 0) continue
    const url = urls[at % urls.length]
    const profile = await request('GET', `${url}/v1/profiles/${device(n).iccid}`)
    assert.equal(profile?.status, 200, `the profile of ${requestId}`)
    assert.equal(profile?.body.state, 'ACTIVE')
    assert.equal(profile?.body.lastResult.requestId, requestId)
    if (recorded !== 'yes') continue
    const activation = await request('GET', `${url}/v1/activations/${requestId}`)
    assert.deepEqual(activation?.body.counts.succeeded, 1, requestId)
  }
}
