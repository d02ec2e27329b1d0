import { sql } from 'kysely'
import Type, { type Static } from 'typebox'
import type { ChangesTable } from '../database/tables.ts'
import type { Cursors } from '../operating/cursor.ts'
import { HttpError } from '../operating/http-error.ts'
import { Maybe, Time } from '../operating/schemas.ts'

const Values = Type.Record(Type.String(), Type.Union([Type.String(), Type.Boolean(), Type.Null()]))

/** One change of a profile, a result or an activation. `from` and `to` hold what differs. */
export const ChangeView = Type.Object(
  {
    cursor: Type.String({ description: 'continues the feed after this change, as ?after=' }),
    at: Time,
    kind: Type.Enum(['profile', 'result', 'activation']),
    accountName: Type.String(),
    requestId: Maybe(Type.String()),
    iccid: Maybe(Type.String()),
    eid: Maybe(Type.String()),
    from: Maybe(Values),
    to: Values,
    cause: Type.Object({ callbackId: Maybe(Type.String()), source: Type.String() }),
  },
  {
    title: 'Change',
    description:
      '`from` and `to` hold what differs: of a profile state, profileStatus, profileRole and servicePlan; of a result ' +
      'result; of an activation status and overdue. They are empty when something else of a profile changed, such as an ' +
      'identifier or its last result: ask for the profile. That it was confirmed once more is no change. The order is ' +
      'that of the feed, in which `at` may be a little earlier than before.',
    examples: [
      {
        cursor: '3qH0p0m8V1kz2b5wWzEsIjEyIl0',
        at: '2026-11-23T18:47:00.000Z',
        kind: 'result',
        accountName: '0000123456-00001',
        requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
        iccid: '89999000000000000015',
        eid: '89001000000000000000000000000177',
        from: { result: 'pending' },
        to: { result: 'succeeded' },
        cause: { callbackId: '01a20a16-396c-7518-afb5-fed56c42cc40', source: 'callback' },
      },
    ],
  },
)
export type ChangeView = Static<typeof ChangeView>

/** A row of the feed, without the snapshot of the profile, which only the history needs. */
export type ChangeRow = Omit<ChangesTable, 'id' | 'profile'> & { id: string }

export const changeColumns = sql.raw(
  'id, at, kind, account_name, request_id, iccid, eid, was, becomes, callback_id, source',
)

/** Cursors of the feed do not depend on the filter, so a reader may change its filter at any point. */
export const feedCursors = 'changes'

/** Where a reader of the feed is. */
export interface Place {
  /** The last change that it has seen. */
  id: bigint
  /**
   * It started from the beginning and is still among the few old changes that were kept: it misses none of the deleted
   * ones.
   */
  thinned: boolean
}

export function writePlace({ id, thinned }: Place, cursors: Cursors): string {
  return cursors.write({ direction: 'after', key: thinned ? [String(id), 'thinned'] : [String(id)] }, feedCursors)
}

/** Throws 400 for what is no cursor of the feed, and names where it stood. */
export function readPlace(cursor: string, cursors: Cursors, where: string): Place {
  const [id, thinned] = cursors.read(cursor, feedCursors, where).key
  if (typeof id !== 'string') throw new HttpError(400, `${where} is not a cursor of the feed`)
  return { id: BigInt(id), thinned: thinned !== undefined }
}

/** @param deletedTo as it was when the change was read; where that is unknown, the place counts as an ordinary one. */
export function changeView(row: ChangeRow, cursors: Cursors, deletedTo = 0n): ChangeView {
  return {
    cursor: writePlace({ id: BigInt(row.id), thinned: BigInt(row.id) < deletedTo }, cursors),
    at: row.at.toISOString(),
    kind: row.kind as ChangeView['kind'],
    accountName: row.account_name,
    requestId: row.request_id,
    iccid: row.iccid,
    eid: row.eid,
    from: row.was as ChangeView['from'],
    to: row.becomes as ChangeView['to'],
    cause: { callbackId: row.callback_id, source: row.source },
  }
}
