import { type Static, Type } from 'typebox'
import type { Delivery } from './deliver.ts'
import type { LedgerEntry } from './ledger.ts'

/** One message of any content, to try how a receiver takes it. */
export const SendWish = Type.Object(
  {
    accountName: Type.String({ minLength: 1 }),
    serviceName: Type.String({ minLength: 1 }),
    body: Type.Record(Type.String(), Type.Unknown()),
    credentials: Type.Optional(Type.Unsafe<'current' | 'previous' | 'none'>({ enum: ['current', 'previous', 'none'] })),
    twice: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export type SendWish = Static<typeof SendWish>

/** Sends it with the listener's credentials and the counters put in; resolves after the first attempt. */
export const sendMessage = (delivery: Delivery, wish: SendWish): Promise<LedgerEntry> => {
  const { accountName, serviceName, body, credentials, twice = false } = wish
  const { requestId } = body
  return delivery.send({
    accountName,
    serviceName,
    requestId: typeof requestId === 'string' ? requestId : '',
    says: 'by hand',
    marks: twice ? ['twice'] : [],
    body,
    shape: 'documented',
    ...(credentials === undefined ? {} : { credentials }),
  })
}
