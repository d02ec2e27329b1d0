import os from 'node:os'
import pg from 'pg'
import type { Question } from './ask.ts'
import { inTurn, sendCallbacks, type Turns } from './in-turn.ts'
import { ask, type Contestant, token } from './processes.ts'
import type { Row } from './report.ts'
import { record, sendOne } from './requests.ts'

/** Requests a second at which single devices are asked for: few enough that nothing queues, so that p99 is theirs. */
const askedPerSecond = 500
const perActivation = 1_000
const atOnce = 100_000

/** The same callbacks and questions with more and more callbacks and profiles stored. */
export async function measureGrowth(
  databaseUrl: string,
  { bare, service, sizes, rounds, seconds }: Turns & { bare: Contestant; service: Contestant; sizes: number[] },
): Promise<{ callbacks: Row[]; devices: Row[] }> {
  const callbacks: Row[] = []
  const devices: Row[] = []
  let stored = 0
  await sendSample(service)
  for (const size of sizes) {
    await fill(databaseUrl, stored, size)
    stored = size
    const name = `${size.toLocaleString('en')} stored`
    const take = (one: Contestant, _group: string, round: number) =>
      sendCallbacks(one, { connections: 64, run: `grown${size}-${round}`, seconds })
    callbacks.push(...(await inTurn(rounds, [name], [bare, service], take)))
    const askFor = (one: Contestant) =>
      ask({ url: one.url, token, connections: 16, seconds, questions: questionsOver(size), rate: askedPerSecond })
    const group = `single device, ${askedPerSecond} a second`
    devices.push(...(await inTurn(rounds, [group], [{ ...service, name }], askFor)))
  }
  return { callbacks, devices }
}

/** Devices from all over what is stored, in no order, so that they lie on as many pages of the database. */
function questionsOver(size: number): Question[] {
  return Array.from({ length: 2_000 }, () => ({
    method: 'GET',
    path: `/v1/devices/eid/${eidOf(Math.floor(Math.random() * size))}`,
  }))
}

function eidOf(n: number): string {
  return `8988${String(n).padStart(28, '0')}`
}

const sample = 'grown-sample'
/** No other case names it. */
const sampleDevice = 920_000

/** One callback that the service itself has stored: what is filled in are copies of its rows. */
async function sendSample(service: Contestant): Promise<void> {
  await record(service, sample, sampleDevice, 1)
  await sendOne(service.url, sample, sampleDevice)
}

/** What of a copy is its own, as SQL; `n` is its number, and `t` the row that is copied. */
const iccid = `'8988' || lpad(n::text, 16, '0')`
const eid = `'8988' || lpad(n::text, 28, '0')`
const imei = `'99' || lpad(n::text, 13, '0')`
const callbackId = `('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`
const activationId = `1000000000 + n / ${perActivation}`
const requestId = `'grown-' || n / ${perActivation}`
const all = `${perActivation}`

const copies: { table: string; of: string; own: { [column: string]: string }; numbers?: string }[] = [
  {
    table: 'activations',
    of: `request_id = '${sample}'`,
    own: { id: activationId, request_id: requestId, targets: all, succeeded: all },
    numbers: `generate_series($1::bigint, $2::bigint - 1, ${perActivation}) n`,
  },
  {
    table: 'targets',
    of: `activation_id = (select id from activations where request_id = '${sample}')`,
    own: { activation_id: activationId, number: `(n % ${perActivation} + 1)::int`, iccid, eid, imei },
  },
  {
    table: 'callbacks',
    of: `activation_id = (select id from activations where request_id = '${sample}')`,
    own: { id: callbackId, activation_id: activationId, fingerprint: 'md5(n::text)::uuid' },
  },
  {
    table: 'results',
    of: `activation_id = (select id from activations where request_id = '${sample}')`,
    own: {
      ...{ source_id: callbackId, activation_id: activationId, target_number: `(n % ${perActivation} + 1)::int` },
      ...{ iccid, eid, imei },
    },
  },
  {
    table: 'profiles',
    of: `activation_id = (select id from activations where request_id = '${sample}')`,
    own: {
      ...{ iccid, eid, imei, mdn: `'7' || lpad(n::text, 9, '0')`, msisdn: `'17' || lpad(n::text, 9, '0')` },
      ...{ activation_id: activationId, credential_callback_id: callbackId, spoken_by: callbackId },
    },
  },
  {
    table: 'changes',
    of: `request_id = '${sample}' and kind <> 'activation'`,
    own: { request_id: requestId, iccid, eid, callback_id: callbackId },
  },
]

/**
 * Callbacks, with all that hangs on them, from the `from`th to before the `to`th, by as many at once as there are
 * processors.
 */
async function fill(databaseUrl: string, from: number, to: number): Promise<void> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: os.availableParallelism() })
  let next = from
  async function fillSome(): Promise<void> {
    while (next < to) {
      const first = next
      next = Math.min(first + atOnce, to)
      await copy(pool, first, next)
      process.stderr.write(`\rstored: ${next.toLocaleString('en')}   `)
    }
  }
  try {
    await Promise.all(Array.from({ length: os.availableParallelism() }, fillSome))
    for (const { table } of copies) await pool.query(`vacuum (analyze) ${table}`)
    await pool.query('checkpoint')
    process.stderr.write('\n')
  } finally {
    await pool.end()
  }
}

async function copy(pool: pg.Pool, first: number, end: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin; set local synchronous_commit = off')
    for (const each of copies) await client.query(await copyingText(client, each), [first, end])
    await client.query('commit')
  } finally {
    client.release()
  }
}

async function copyingText(
  client: pg.PoolClient,
  { table, of, own, numbers }: (typeof copies)[number],
): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `select column_name as name from information_schema.columns
     where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'
       and (is_identity = 'NO' or column_name = any($2))`,
    [table, Object.keys(own)],
  )
  const names = rows.map(({ name }) => name)
  const values = names.map(name => own[name] ?? `t.${name}`)
  return `
    insert into ${table} (${names.join()}) overriding system value
    select ${values.join()} from ${numbers ?? 'generate_series($1::bigint, $2::bigint - 1) n'},
    (select * from ${table} where ${of}) t order by n`
}
