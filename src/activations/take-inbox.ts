import { sql } from 'kysely'
import { Compile } from 'typebox/compile'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import type { OutgoingActivationsTable } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { RecordedActivation } from './activation-request.ts'
import { recordActivation } from './record-activation.ts'

const activationShape = Compile(RecordedActivation)

/**
 * Records the oldest activation that another program wrote into `outgoing_activations` by plain SQL; false when none
 * waits. Each is done in a transaction of its own, and replicas share the work. A row that can't be recorded is kept
 * with its problem, for a person to see.
 */
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
