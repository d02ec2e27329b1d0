import Type, { type Static } from 'typebox'
import { shapeOf } from '../operating/etag.ts'
import { Maybe, Time } from '../operating/schemas.ts'
import { type JsonObject, parseExactly } from '../thingspace/json-message.ts'
import { readDeviceIds } from '../thingspace/read-callback.ts'
import type { FoundCallback } from './find-callbacks.ts'

export const StoredVerdict = Type.Enum(['applied', 'unchanged', 'unmatched', 'other', 'quarantined'])

/** A stored callback as the API shows it. `body` is the message with every secret as `"[sealed]"`. */
export const CallbackView = Type.Object(
  {
    callbackId: Type.String(),
    accountName: Type.String(),
    serviceName: Type.String(),
    requestId: Maybe(Type.String()),
    verdict: StoredVerdict,
    reason: Maybe(Type.String({ description: 'why it is quarantined or other' })),
    receivedAt: Time,
    lastSeenAt: Time,
    timesSeen: Type.Integer({ minimum: 1 }),
    highestCallbackCount: Maybe(Type.Integer()),
    result: Maybe(Type.Enum(['warning', 'succeeded', 'failed'])),
    faultCode: Maybe(Type.String()),
    faultMessage: Maybe(Type.String()),
    deviceIds: Type.Array(Type.Object({ kind: Type.String(), id: Type.String() })),
    body: Maybe(Type.Unsafe<JsonObject>({ type: 'object', additionalProperties: true })),
  },
  {
    title: 'Callback',
    examples: [
      {
        callbackId: '01a20a16-396c-7518-afb5-fed56c42cc40',
        accountName: '0000123456-00001',
        serviceName: 'CarrierService',
        requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8',
        verdict: 'applied',
        reason: null,
        receivedAt: '2026-11-23T18:47:00.000Z',
        lastSeenAt: '2026-11-23T18:47:00.000Z',
        timesSeen: 1,
        highestCallbackCount: 1,
        result: 'succeeded',
        faultCode: null,
        faultMessage: null,
        deviceIds: [{ kind: 'iccid', id: '89999000000000000015' }],
        body: { requestId: 'd1f08526-5443-4054-9a29-4456490ea9f8', status: 'SUCCESS', callbackCount: 1 },
      },
    ],
  },
)
export type CallbackView = Static<typeof CallbackView>

export function callbackView(row: FoundCallback): CallbackView {
  const body = row.body === null ? null : (parseExactly(row.body) as JsonObject)
  return {
    callbackId: row.id,
    accountName: row.account_name,
    serviceName: row.service_name,
    requestId: row.request_id,
    verdict: row.verdict as CallbackView['verdict'],
    reason: row.reason,
    receivedAt: row.received_at.toISOString(),
    lastSeenAt: row.last_seen_at.toISOString(),
    timesSeen: row.times_seen,
    highestCallbackCount: row.highest_callback_count,
    result: row.result as CallbackView['result'],
    faultCode: row.fault_code,
    faultMessage: row.fault_message,
    deviceIds: body === null ? [] : readDeviceIds(body),
    body,
  }
}

const shape = shapeOf(CallbackView)

/**
 * Everything that decides how a callback is shown: for a tag, cheaper than the answer itself. Reprocessing may change
 * any of it.
 */
export function callbackTagParts(row: FoundCallback): unknown[] {
  const { id, request_id, verdict, reason, last_seen_at, times_seen, result, fault_code, fault_message, body } = row
  const counted = [last_seen_at.getTime(), times_seen, row.highest_callback_count]
  return [shape, id, request_id, verdict, reason, counted, result, fault_code, fault_message, body]
}
