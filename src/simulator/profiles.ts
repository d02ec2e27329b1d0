import { makeEid, makeIccid, makeImei, makeMdn } from './make-identifiers.ts'

export interface SimulatedProfile {
  iccid: string
  imei: string
  eid: string
  mdn: string
  /** The ICCID was not asked for but made by us, as for consumer eSIM [DOC] CESIM. */
  generatedIccid: boolean
}

export interface AskedIds {
  iccid?: string
  imei?: string
  eid?: string
}

/** Every profile that was ever named, so that the same one keeps its number and a device knows its profiles. */
export const createProfiles = (seed: number) => {
  const known = new Map<string, SimulatedProfile>()
  const devices = new Map<string, SimulatedProfile[]>()
  let serial = 0

  /** What was not asked for is generated; the carrier asks for more than this [EX], but here any one identifier will do. */
  const find = (asked: AskedIds): SimulatedProfile => {
    const key = asked.iccid ?? `${asked.eid} ${asked.imei}`
    const before = known.get(key)
    if (before) return before
    // From the far end, away from the identifiers that `makeDevices` hands out.
    const mine = 900_000_000 + serial
    const profile: SimulatedProfile = {
      iccid: asked.iccid ?? makeIccid(seed, mine),
      imei: asked.imei ?? makeImei(seed, mine),
      eid: asked.eid ?? makeEid(seed, mine),
      mdn: makeMdn(seed, serial),
      generatedIccid: asked.iccid === undefined,
    }
    serial++
    known.set(key, profile)
    known.set(profile.iccid, profile)
    devices.set(profile.eid, [...(devices.get(profile.eid) ?? []), profile])
    return profile
  }

  return {
    find,
    ofDevice: (eid: string) => devices.get(eid) ?? [],
    count: () => serial,
  }
}
export type Profiles = ReturnType<typeof createProfiles>
