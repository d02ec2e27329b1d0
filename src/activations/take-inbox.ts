import { sql } from 'kysely'
import type { Logger } from 'pino'
import { Compile } from 'typebox/compile'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { OutgoingActivationsTable } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { RecordedActivation } from './activation-request.ts'
import { recordActivation } from './record-activation.ts'

export interface InboxTaker {
  start(): void
  stop(): Promise<void>
}

const everyMs = 500
const activationShape = Compile(RecordedActivation)

/**
 * Records what other programs wrote into `outgoing_activations` by plain SQL, in their order, each in a transaction of
 * its own; replicas share the work. A row that can't be recorded is kept with its problem, for a person to see.
 */
export function takeInbox(db: Database, expectWithin: ExpectWithin, log: Logger): InboxTaker {
  let stopped = false
  let running: Promise<void> = Promise.resolve()

  async function run(): Promise<void> {
    while (!stopped) {
      const took = await takeNext(db, expectWithin).catch(error => {
        log.warn({ err: error }, 'the inbox of outgoing activations could not be read')
        return false
      })
      if (!took && !stopped) await pause(everyMs)
    }
  }

  return {
    start() {
      if (!stopped) running = run()
    },
    async stop() {
      stopped = true
      await running
    },
  }
}

/** Takes the oldest waiting row; false when there is none. */
export async function takeNext(db: Database, expectWithin: ExpectWithin): Promise<boolean> {
  return inTransaction(db, async trx => {
    const { rows } = await sql<Omit<OutgoingActivationsTable, 'id'> & { id: string }>`
      select * from outgoing_activations where taken_at is null order by id limit 1 for update skip locked`.execute(trx)
    const [row] = rows
    if (row === undefined) return false
    const problem = await record(row)
    await sql`
      update outgoing_activations set taken_at = clock_timestamp(), problem = ${problem} where id = ${row.id}`.execute(
      trx,
    )
    return true

    async function record(entry: Omit<OutgoingActivationsTable, 'id'>): Promise<string | null> {
      const request = requestOf(entry)
      if (!activationShape.Check(request)) {
        const [first] = activationShape.Errors(request)
        return `not an activation: ${first?.instancePath ?? ''} ${first?.message ?? ''}`
      }
      const toldAt = entry.inserted_at as unknown as Date
      const outcome = await recordActivation(trx, entry.request_id, request, expectWithin, toldAt)
      return outcome === 'different' ? 'another activation is recorded under this request_id' : null
    }
  })
}

function requestOf(row: Omit<OutgoingActivationsTable, 'id'>): object {
  const { account_name, operation, service_plan, mdn_zip_code, devices, submitted_at } = row
  return {
    accountName: account_name,
    ...(operation === null ? {} : { operation }),
    ...(service_plan === null ? {} : { servicePlan: service_plan }),
    ...(mdn_zip_code === null ? {} : { mdnZipCode: mdn_zip_code }),
    devices,
    ...(submitted_at === null ? {} : { submittedAt: submitted_at.toISOString() }),
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
