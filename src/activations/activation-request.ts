import { createHash } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { askedKindPattern, notBlank, operationPattern } from '../operating/patterns.ts'
import { normalIdentifier, normalKind } from '../thingspace/identifiers.ts'
import type { Identifiers } from '../thingspace/report.ts'
import { targetKey } from './match-target.ts'

const AskedIdentifier = Type.Object(
  {
    kind: Type.String({
      pattern: askedKindPattern,
      description: 'eid, iccid or imei, in any case',
    }),
    id: Type.String({ minLength: 1, maxLength: 64, pattern: notBlank }),
  },
  { additionalProperties: false },
)

const requestExample = {
  accountName: '0000123456-00001',
  servicePlan: 'EXAMPLE_PLAN',
  devices: [
    {
      deviceIds: [
        { kind: 'eid', id: '89001000000000000000000000000177' },
        { kind: 'iccid', id: '89999000000000000015' },
        { kind: 'imei', id: '001013000000010' },
      ],
    },
  ],
}

/** What was asked of ThingSpace, in the form of its own request ([DOC], seed). */
export const ActivationRequest = Type.Object(
  {
    accountName: Type.String({ minLength: 1, maxLength: 64, examples: ['0000123456-00001'] }),
    operation: Type.Optional(Type.String({ pattern: operationPattern, default: 'activate' })),
    servicePlan: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
    mdnZipCode: Type.Optional(Type.String({ minLength: 1, maxLength: 20 })),
    devices: Type.Array(
      Type.Object(
        { deviceIds: Type.Array(AskedIdentifier, { minItems: 1, maxItems: 10 }) },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 10_000 },
    ),
  },
  { additionalProperties: false, title: 'ActivationRequest', examples: [requestExample] },
)
export type ActivationRequest = Static<typeof ActivationRequest>

export const RecordedActivation = Type.Object(
  {
    ...ActivationRequest.properties,
    submittedAt: Type.Optional(
      Type.String({ format: 'date-time', description: 'when the request was sent, from 1970 to 9998; default: now' }),
    ),
  },
  { additionalProperties: false, title: 'RecordedActivation', examples: [requestExample] },
)
export type RecordedActivation = Static<typeof RecordedActivation>

/** Everything counted from it, such as when a result is expected, must still have a year of four digits. */
const lastTime = Date.UTC(9999, 0)

/**
 * What is wrong with a submission time beyond its form; null when nothing is. A leap second has the form of a time, but
 * no Date can hold it, and PostgreSQL knows `infinity` and years that nothing else can write.
 */
export function problemOfTime(time: string | Date): string | null {
  const at = new Date(time).getTime()
  return at >= 0 && at < lastTime ? null : 'must be a time from 1970 to 9998'
}

/** The devices asked for, in normal form and in order. Entries that mean the same device are one target. */
export function targetsAskedFor({ devices }: Pick<ActivationRequest, 'devices'>): Identifiers[] {
  const targets = new Map<string, Identifiers>()
  for (const asked of devices.flatMap(targetsOf)) {
    const known = targets.get(targetKey(asked))
    targets.set(targetKey(asked), known === undefined ? asked : together(known, asked))
  }
  return [...targets.values()]
}

/** One; but one each where an entry names several by the kind that tells them apart, as two profiles of a device. */
function targetsOf({ deviceIds }: ActivationRequest['devices'][number]): Identifiers[] {
  const named: Record<keyof Identifiers, string[]> = { eid: [], iccid: [], imei: [] }
  for (const { kind, id } of deviceIds) {
    const name = normalKind(kind)
    if (name === 'eid' || name === 'iccid' || name === 'imei') named[name].push(normalIdentifier(name, id))
  }
  const [eid = null, iccid = null, imei = null] = [named.eid[0], named.iccid[0], named.imei[0]]
  if (iccid !== null) return named.iccid.map(each => ({ eid, iccid: each, imei }))
  if (eid !== null) return named.eid.map(each => ({ eid: each, iccid, imei }))
  return named.imei.map(each => ({ eid, iccid, imei: each }))
}

function together(known: Identifiers, more: Identifiers): Identifiers {
  return { eid: known.eid ?? more.eid, iccid: known.iccid ?? more.iccid, imei: known.imei ?? more.imei }
}

/** Equal for requests that ask for the same thing: decides between 200 and 409 when one is recorded again. */
export function requestDigest(request: ActivationRequest): Buffer {
  const { accountName, operation = 'activate', servicePlan = null, mdnZipCode = null } = request
  const asked = targetsAskedFor(request).map(({ eid, iccid, imei }) => JSON.stringify([eid, iccid, imei]))
  return createHash('sha256')
    .update(JSON.stringify([accountName, operation, servicePlan, mdnZipCode, asked.sort()]))
    .digest()
}
