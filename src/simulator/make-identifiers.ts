// Made-up identifiers that pass their checks (thingspace.md 5). `serial` keeps them apart, `seed` keeps two runs apart.

/** 19 digits and the Luhn digit. */
export const makeIccid = (seed: number, serial: number): string => withLuhn(`89148${part(seed)}${digits(serial, 10)}0`)

/** 14 digits and the Luhn digit. */
export const makeImei = (seed: number, serial: number): string => withLuhn(`35${part(seed)}${digits(serial, 9)}`)

/** 30 digits and two that make the whole 1 modulo 97. */
export const makeEid = (seed: number, serial: number): string => {
  const body = `89049032${part(seed)}${digits(serial, 19)}`
  return body + digits(98 - Number((BigInt(body) * 100n) % 97n), 2)
}

export const makeMdn = (seed: number, serial: number): string =>
  `555${digits((Number(part(seed)) * 10_000 + serial) % 1e7, 7)}`

/** Devices in the API's form. A consumer eSIM is asked for without an ICCID: the carrier generates it. */
export const makeDevices = (seed: number, count: number, consumer = false, from = 0) =>
  Array.from({ length: count }, (_, index) => {
    const serial = from + index
    const eid = { kind: 'eid', id: makeEid(seed, serial) }
    const iccid = { kind: 'iccid', id: makeIccid(seed, serial) }
    const imei = { kind: 'imei', id: makeImei(seed, serial) }
    return { deviceIds: consumer ? [eid, imei] : [eid, iccid, imei] }
  })

const part = (seed: number): string => digits(Math.abs(seed) % 1000, 3)

const digits = (value: number, length: number): string => String(value).padStart(length, '0').slice(-length)

const withLuhn = (body: string): string => {
  let sum = 0
  for (let at = 0; at < body.length; at++) {
    const digit = Number(body[body.length - 1 - at])
    const doubled = at % 2 === 0 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return body + String((10 - (sum % 10)) % 10)
}
