import { makeEid, makeIccid, makeImei } from '../simulator/make-identifiers.ts'
import type { Settings } from '../simulator/settings.ts'

export const accountName = '0000123456-00001'
export const serviceName = 'CarrierService'

/** One request to ThingSpace, and how the simulated carrier is to behave meanwhile. */
export interface Step {
  number: number
  asks: string
  /** How the simulated carrier behaves, in words. */
  carrier: string
  servicePlan: string
  profiles: AskedProfile[]
  behaviour: Partial<Settings>
}

export interface AskedProfile {
  eid: string
  iccid: string
  imei: string
}

const verizon = 'EXAMPLE_US_PLAN'
const global = 'EXAMPLE_GLOBAL_PLAN'
const quick = { callbackAfterMs: 500, callbackSpreadMs: 0 }

/** Everything that a day may bring, one request each. Devices 0 and 1 get a global profile beside their Verizon one. */
export function tellScenario(seed: number): Step[] {
  const steps: Omit<Step, 'number'>[] = [
    {
      asks: '3 Verizon profiles in one request',
      carrier: 'activates them one by one',
      servicePlan: verizon,
      profiles: [0, 1, 2].map(device => profileOf(seed, device, 0)),
      behaviour: { callbackAfterMs: 600, callbackSpreadMs: 1_200 },
    },
    {
      asks: '2 global profiles, devices of #1',
      carrier: 'activates them one by one',
      servicePlan: global,
      profiles: [0, 1].map(device => profileOf(seed, device, 1)),
      behaviour: { callbackAfterMs: 600, callbackSpreadMs: 500 },
    },
    {
      asks: '1 Verizon profile',
      carrier: 'fails it',
      servicePlan: verizon,
      profiles: [profileOf(seed, 3, 0)],
      behaviour: { ...quick, fault: 1 },
    },
    {
      asks: '1 Verizon profile',
      carrier: 'warns first, then activates it',
      servicePlan: verizon,
      profiles: [profileOf(seed, 4, 0)],
      behaviour: { ...quick, warning: 1, finalAfterWarningMs: 900 },
    },
    {
      asks: '1 global profile',
      carrier: 'sends its callback twice',
      servicePlan: global,
      profiles: [profileOf(seed, 5, 1)],
      behaviour: { ...quick, twice: 1 },
    },
    {
      asks: '1 Verizon profile',
      carrier: 'calls back before it answers',
      servicePlan: verizon,
      profiles: [profileOf(seed, 6, 0)],
      behaviour: { ...quick, early: 1, answerAfterMs: 400 },
    },
  ]
  return steps.map((step, index) => ({ number: index + 1, ...step }))
}

/** Thousands of profiles in one request, Verizon's and global ones in turn, of devices that no other step has. */
export function tellBulk(seed: number, count: number): Step {
  const first = 300_000_000 + (Math.floor(seed / 1_000) % 60) * 10_000
  const profiles = Array.from({ length: count }, (_, at) => {
    const serial = first + at
    return { eid: makeEid(seed, serial), iccid: makeIccid(seed, serial), imei: makeImei(seed, serial) }
  })
  return { number: 0, asks: '', carrier: '', servicePlan: verizon, profiles, behaviour: {} }
}

/** Identifiers that no other seed has: generated ones differ in the seed's last three digits and in the serial. */
function profileOf(seed: number, device: number, slot: number): AskedProfile {
  const serial = Math.floor(seed / 1_000) * 100 + device
  return { eid: makeEid(seed, serial), iccid: makeIccid(seed, serial + slot * 50), imei: makeImei(seed, serial) }
}

/** The request in ThingSpace's form, which is also that of our own API. */
export function activationOf({ servicePlan, profiles }: Step) {
  const devices = profiles.map(({ eid, iccid, imei }) => ({
    deviceIds: [
      { kind: 'eid', id: eid },
      { kind: 'iccid', id: iccid },
      { kind: 'imei', id: imei },
    ],
  }))
  return { accountName, servicePlan, mdnZipCode: '10001', devices }
}
