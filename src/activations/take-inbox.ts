import { sql } from 'kysely'
import { Compile } from 'typebox/compile'
import type { ExpectWithin } from '../config.ts'
import type { Database } from '../database/pool.ts'
import { refusalOf } from '../database/refusal.ts'
import type { OutgoingActivationsTable } from '../database/tables.ts'
import { inTransaction } from '../database/transaction.ts'
import { problemOfTime, RecordedActivation } from './activation-request.ts'
import { recordActivation } from './record-activation.ts'

const activationShape = Compile(RecordedActivation)

type Entry = Omit<OutgoingActivationsTable, 'id'> & { id: string }

/**
 * Records the activations that another program wrote into `outgoing_activations` with plain SQL, oldest first. Each has
 * a transaction of its own, and replicas share the work. A row that can't be recorded is kept with its problem, for a
 * person to see; one that can't be recorded right now, for instance because its activation is locked, is left for the
 * next run. No row keeps the others waiting.
 */
export async function takeInbox(
  db: Database,
  expectWithin: ExpectWithin,
  isStopping: () => boolean = () => false,
): Promise<void> {
  let after = '0'
  let failure: unknown = null
  while (!isStopping()) {
    const tried = await takeNext(db, expectWithin, after)
    if (tried === null) break
    after = tried.id
    failure = tried.failure ?? failure
  }
  if (failure !== null) throw failure
}

/** null when no row waits after that one. */
async function takeNext(
  db: Database,
  expectWithin: ExpectWithin,
  after: string,
): Promise<{ id: string; failure: unknown } | null> {
  let id: string | null = null
  try {
    return await inTransaction(db, async trx => {
      id = null
      const { rows } = await sql<Entry>`
        select * from outgoing_activations where taken_at is null and id > ${after}
        order by id limit 1 for update skip locked`.execute(trx)
      const [entry] = rows
      if (entry === undefined) return null
      id = entry.id
      const problem = problemOf(entry) ?? (await record(entry))
      await sql`
        update outgoing_activations set taken_at = clock_timestamp(), problem = ${problem} where id = ${id}`.execute(
        trx,
      )
      return { id, failure: null }

      async function record({ request_id, inserted_at }: Entry): Promise<string | null> {
        const request = requestOf(entry as Entry) as RecordedActivation
        const outcome = await recordActivation(trx, request_id, request, expectWithin, inserted_at as unknown as Date)
        return outcome === 'different' ? 'another activation is recorded under this request_id' : null
      }
    })
  } catch (error) {
    if (id === null) throw error
    if (refusalOf(error) !== 'refused') return { id, failure: error }
    await putAside(db, id, error)
    return { id, failure: null }
  }
}

/** What the database or our own parsing refuses now, it will refuse next time too. */
async function putAside(db: Database, id: string, error: unknown): Promise<void> {
  await sql`
    update outgoing_activations set taken_at = clock_timestamp(), problem = ${`can not be recorded: ${(error as Error).message}`}
    where id = ${id} and taken_at is null`.execute(db)
}

function problemOf(entry: Entry): string | null {
  const { submitted_at } = entry
  const badTime = submitted_at === null ? null : problemOfTime(submitted_at)
  if (badTime !== null) return `not an activation: submitted_at ${badTime}`
  const request = requestOf(entry)
  if (activationShape.Check(request)) return null
  const [first] = activationShape.Errors(request)
  return `not an activation: ${first?.instancePath ?? ''} ${first?.message ?? ''}`
}

function requestOf(entry: Entry): object {
  const { account_name, operation, service_plan, mdn_zip_code, devices, submitted_at } = entry
  return {
    accountName: account_name,
    ...(operation === null ? {} : { operation }),
    ...(service_plan === null ? {} : { servicePlan: service_plan }),
    ...(mdn_zip_code === null ? {} : { mdnZipCode: mdn_zip_code }),
    devices,
    ...(submitted_at === null ? {} : { submittedAt: submitted_at.toISOString() }),
  }
}
