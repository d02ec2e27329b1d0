import { type Kysely, sql } from 'kysely'
import t from 'tap'
import { recordActivation } from '../../src/activations/record-activation.ts'
import { readConfig } from '../../src/config.ts'
import { migrate } from '../../src/database/migrate.ts'
import { openPipelinedDatabase, type PipelinedDatabase } from '../../src/database/pipeline.ts'
import { type Database, openDatabase } from '../../src/database/pool.ts'
import type { Tables } from '../../src/database/tables.ts'
import { inTransaction } from '../../src/database/transaction.ts'
import { type IncomingCallback, prepareCallback } from '../../src/receiving/incoming-callback.ts'
import { storeCallbacks } from '../../src/receiving/store-callbacks.ts'
import { createSealer } from '../../src/secrets/sealer.ts'
import { readJsonMessage } from '../../src/thingspace/json-message.ts'
import { account } from '../fixtures/account.ts'
import { connection } from '../fixtures/connection.ts'
import { countNothing } from '../fixtures/count-nothing.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { device, makeCallback, makeFault } from '../fixtures/make-callback.ts'
import { rowsRead } from '../fixtures/rows-read.ts'

const kinds = ['iccid', 'eid', 'imei'] as const
type Kind = (typeof kinds)[number]

/** Targets of each activation, and callbacks stored. */
const stored = 2_000
const batch = 32

t.test(
  'a callback reads the rows it is about, however many are stored and however little is known of them',
  async t => {
    const options = connection(await createEmptyDatabase(t), { connections: 1 })
    const db = openDatabase(options)
    t.teardown(() => db.destroy())
    await migrate(db)
    await countNothing(db)
    let numbers = 0
    const next = () => numbers++

    const early = openReceiving()
    for (const kind of kinds) await record(db, `few-${kind}`, kind, [1, 2, 3].map(next))
    numbers = 0
    for (const kind of kinds) await receive(early, kind, `few-${kind}`, [1].map(next))
    for (const kind of kinds) await record(db, `bulk-${kind}`, kind, Array.from({ length: stored }, next))
    await sql`insert into activations (account_name, request_id, submitted_at)
    select ${account}, 'other-' || n, now() from generate_series(1, ${sql.lit(stored)}) n`.execute(db)
    for (let n = 0; n < stored; n += 100) {
      await store(
        early,
        Array.from({ length: 100 }, next).map(n => make('filled', n)),
      )
    }

    numbers = 10
    await readsLittle('with plans made while nothing was stored', early)
    await readsLittle('before anything was counted', openReceiving())
    await sql`analyze`.execute(db)
    await readsLittle('with statistics', openReceiving())

    function openReceiving(): PipelinedDatabase {
      const receiving = openPipelinedDatabase(options)
      t.teardown(() => receiving.destroy())
      return receiving
    }

    async function readsLittle(when: string, receiving: PipelinedDatabase) {
      for (const [at, kind] of kinds.entries()) {
        for (const amount of [1, batch]) {
          const numbers = Array.from({ length: amount }, () => next() + at * stored)
          for (const [what, read] of await receive(receiving, kind, `bulk-${kind}`, numbers)) {
            t.ok(read > 0 && read < 40 * amount, `${when}, ${amount} by ${kind}, ${what}: ${read} rows of ${stored}`)
          }
        }
      }
    }
  },
)

/** Every way in which a callback can come; and how many rows each batch of them read. */
async function receive(receiving: PipelinedDatabase, kind: Kind, requestId: string, numbers: readonly number[]) {
  const ways: [string, IncomingCallback[]][] = [
    ['applied', numbers.map(n => make(requestId, n))],
    ['repeated', numbers.map(n => make(requestId, n))],
    ['contradicted', numbers.map(n => make(requestId, n, makeFault))],
    ['unmatched', numbers.map(n => make(`unknown-${kind}-${n}`, n))],
    [
      'named by one identifier',
      numbers.map(n => make(requestId, n, one => makeCallback({ ...one, ...only(kind, n), state: 'X' }))),
    ],
  ]
  const read: [string, number][] = []
  for (const [what, callbacks] of ways) read.push([what, await store(receiving, callbacks)])
  return read
}

async function store(receiving: PipelinedDatabase, callbacks: readonly IncomingCallback[]): Promise<number> {
  return receiving.transaction(async db => {
    const before = await rowsRead(db)
    const { written } = await storeCallbacks(db, callbacks)
    await written
    return { written: rowsRead(db).then(after => after - before) }
  })
}

const key = Buffer.alloc(32, 7)
const keys = { sealer: createSealer(key), fingerprintKey: key }
let ids = 0

function make(requestId: string, n: number, of: typeof makeCallback = makeCallback): IncomingCallback {
  const bytes = Buffer.from(JSON.stringify(of({ requestId, ...device(n) })))
  const json = readJsonMessage(bytes)
  if (!json.ok) throw new Error('a made callback is JSON')
  const id = `00000000-0000-7000-8000-${String(++ids).padStart(12, '0')}`
  return prepareCallback({ id, accountName: account, serviceName: 'CarrierService', bytes, json }, keys)
}

function only(kind: Kind, n: number) {
  return { iccid: null, eid: null, imei: null, [kind]: device(n)[kind] }
}

async function record(db: Database, requestId: string, kind: Kind, numbers: readonly number[]): Promise<void> {
  const devices = numbers.map(n => ({ deviceIds: [{ kind, id: device(n)[kind] }] }))
  const { expectWithin } = readConfig({})
  await inTransaction(db, (trx: Kysely<Tables>) =>
    recordActivation(trx, requestId, { accountName: account, devices }, expectWithin),
  )
}
