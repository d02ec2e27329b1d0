import { type Callback, type DeviceId, isObject, type ProfileResponse } from './callback.ts'
import { imeiBase, isIdentifierKind, normalIdentifier, normalKind } from './identifiers.ts'
import { readFault, readStatus } from './read-status.ts'
import type { AddressUpdate, Identifiers, ProfileFacts, Report, ReportedResult } from './report.ts'
import { normalWord, told } from './words.ts'

/** Of which profiles and devices a message speaks, and what it says of each. */
export function readReports(folded: Callback): Report[] {
  const fault = readFault(folded)
  const top = folded.deviceIds ?? []
  const profiles = (folded.deviceResponse ?? []).flatMap(response => {
    const { result } = readStatus(folded, [response])
    return (response.deviceProfileResponse ?? []).map(profile => ({ profile, result }))
  })
  const { result } = readStatus(folded)
  const ofProfiles = profiles.flatMap(one => namedBy(one, top, profiles.length === 1))
  const said = reportsAbout(ofProfiles, fault)
  if (said.length > 0 || profiles.some(one => one.result !== result)) return said
  // Where nothing tells whose profiles these are, the devices have their one result all the same.
  const ofDevices = devicesIn(top).map(ids => ({ profile: {}, ids: [ids], result }))
  return reportsAbout(ofDevices, fault)
}

/**
 * What one word says of every device that is named, as a part of a request's status does: each has its result, and the
 * identifiers of which there is only one are those of all.
 */
export function reportsOfAll(ids: DeviceId[], result: ReportedResult): Report[] {
  const single = (['iccid', 'eid', 'imei'] as const).map(kind => eachOf(kind, ids)).filter(({ length }) => length === 1)
  const about = devicesIn(ids).map(own => ({ profile: {}, ids: [own, single.flat()], result }))
  return reportsAbout(about, { faultCode: null, faultMessage: null })
}

interface Said {
  profile: ProfileResponse
  result: ReportedResult
}

/** What stands in the first list goes before what stands in the second. */
type About = Said & { ids: DeviceId[][] }

function reportsAbout(about: readonly About[], fault: Pick<Report, 'faultCode' | 'faultMessage'>): Report[] {
  return about
    .map(one => ({ ...readIdentifiers(one.ids, one.profile), result: one.result, ...fault }))
    .filter(({ identifiers }) => identifiers.eid ?? identifiers.iccid ?? identifiers.imei)
}

/**
 * A lone profile inherits what only the top of the message names; of several, each names its own devices. Where one
 * stands under several ICCIDs each has its result, but nobody can say whose state that is.
 */
function namedBy({ profile, result }: Said, top: DeviceId[], isLone: boolean): About[] {
  const own = profile.deviceIdentifierCollection ?? []
  const named = eachOf('iccid', own)
  const iccids = named.length === 0 && isLone ? eachOf('iccid', top) : named
  if (iccids.length > 1) return iccids.map(entry => ({ profile: {}, ids: [[entry]], result }))
  return [{ profile, ids: isLone ? [own, top] : [own], result }]
}

/** Every device that is named stands for itself, by the most specific kind that names any; one needs no telling apart. */
function devicesIn(top: DeviceId[]): DeviceId[][] {
  const named = (['iccid', 'eid', 'imei'] as const).map(kind => eachOf(kind, top)).find(found => found.length > 0) ?? []
  return named.length > 1 ? named.map(entry => [entry]) : [top]
}

/** Each device once, under the longest form of its IMEI. */
function eachOf(wanted: 'iccid' | 'eid' | 'imei', ids: DeviceId[]): DeviceId[] {
  const found = new Map<string, { id: string; entry: DeviceId }>()
  for (const entry of ids) {
    if (normalKind(entry.kind ?? '') !== wanted) continue
    const id = normalIdentifier(wanted, entry.id ?? '')
    const device = wanted === 'imei' ? imeiBase(id) : id
    const known = found.get(device)
    if (device !== '' && (known === undefined || id > known.id)) found.set(device, { id, entry })
  }
  return [...found.values()].map(({ entry }) => entry)
}

/** Of several of one kind, as the two IMEIs of a device, the least: the carrier lists them in any order. */
function leastOf(ids: DeviceId[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const { kind, id } of ids) {
    const name = normalKind(kind ?? '')
    if (!isIdentifierKind(name)) continue
    const normal = normalIdentifier(name, id ?? '')
    const known = found.get(name)
    if (normal !== '' && (known === undefined || normal < known)) found.set(name, normal)
  }
  return found
}

function readIdentifiers(
  lists: DeviceId[][],
  profile: ProfileResponse,
): { identifiers: Identifiers; facts: ProfileFacts } {
  const [first = new Map<string, string>(), second] = lists.map(leastOf)
  const of = (kind: string) => first.get(kind) ?? second?.get(kind) ?? null
  return {
    identifiers: { eid: of('eid'), iccid: of('iccid'), imei: of('imei') },
    facts: {
      mdn: of('mdn'),
      msisdn: of('msisdn'),
      state: normalWord(profile.state),
      profileStatus: normalWord(profile.profileStatus),
      profileRole: normalWord(profile.profileRole),
      servicePlan: told(profile.servicePlan),
      addressUpdate: readAddressUpdate(profile),
      hasCredential: holdsCredential(profile.deviceCredential),
    },
  }
}

/** The status of an address update, independent of `status`; only the success values are documented (fact sheet 2.4). */
function readAddressUpdate(profile: ProfileResponse): AddressUpdate | null {
  const status = told(profile.euiccSubAddressUpdateStatus)
  const code = told(profile.euiccSubAddressUpdateStatusCode)
  const description = told(profile.euiccSubAddressUpdateStatusDesc)
  return status === null && code === null && description === null ? null : { status, code, description }
}

function holdsCredential(credential: unknown): boolean {
  if (!isObject(credential)) return false
  return Object.values(credential).some(value => (typeof value === 'string' ? told(value) : value) !== null)
}
