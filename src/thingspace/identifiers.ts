/**
 * Device identifiers as ThingSpace writes them, brought to one form. Lengths and check digits are flagged, never a
 * reason to refuse: of Verizon's own examples half the ICCIDs and most IMEIs fail Luhn ([EX], fact sheet 5).
 */
export const identifierKinds = ['eid', 'iccid', 'imei', 'mdn', 'msisdn'] as const
export type IdentifierKind = (typeof identifierKinds)[number]

export interface Identifier {
  kind: string
  id: string
}

/** Kinds come as `Iccid`, `ICCID` or `iccid` [EX]; compared in lower case. */
export function normalKind(kind: string): string {
  return kind.trim().toLowerCase()
}

export function isIdentifierKind(kind: string): kind is IdentifierKind {
  return (identifierKinds as readonly string[]).includes(kind)
}

/**
 * Digits only, if it is a number at all: separators, a leading `+` and the `F` that pads an odd ICCID are removed. Any
 * other text (the placeholders in Verizon's examples, a hexadecimal MEID) stays as it came, trimmed.
 */
export function normalIdentifier(kind: string, id: string): string {
  const trimmed = id.trim()
  const compact = trimmed.replace(/[\s.-]/g, '')
  const bare = kind === 'iccid' ? compact.replace(/F$/i, '') : compact.replace(/^\+/, '')
  return /^\d+$/.test(bare) ? bare : trimmed
}

/** Two IMEIs name the same device when 14 digits agree: the 15th is a check digit, 16 digits carry a software version. */
export function sameImei(one: string, other: string): boolean {
  return imeiBase(one) === imeiBase(other)
}

export function imeiBase(imei: string): string {
  return imei.slice(0, 14)
}

type Check = (id: string) => 'length' | 'check-digit' | null

const checks: Record<IdentifierKind, Check> = {
  // 18 digits: some datasets omit the check digit (fact sheet 5)
  iccid: id => (id.length < 18 || id.length > 20 ? 'length' : id.length > 18 && !passesLuhn(id) ? 'check-digit' : null),
  imei: id =>
    id.length < 14 || id.length > 16 ? 'length' : id.length === 15 && !passesLuhn(id) ? 'check-digit' : null,
  eid: id => (id.length !== 32 ? 'length' : passesMod97(id) ? null : 'check-digit'),
  mdn: id => (id.length === 10 ? null : 'length'),
  // 1 + MDN for Verizon; a global profile may carry any E.164 number up to 15 digits [INF]
  msisdn: id => (id.length >= 8 && id.length <= 15 ? null : 'length'),
}

/** What is odd about an identifier in its normal form, e.g. `iccid-check-digit`; null when nothing is. */
export function identifierFlag(kind: IdentifierKind, id: string): string | null {
  const oddity = /^\d+$/.test(id) ? checks[kind](id) : 'format'
  return oddity === null ? null : `${kind}-${oddity}`
}

/** E.118 and the IMEI's rule. */
export function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let fromRight = 0; fromRight < digits.length; fromRight += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - fromRight) - 48
    const weighed = fromRight % 2 === 1 ? digit * 2 : digit
    sum += weighed > 9 ? weighed - 9 : weighed
  }
  return sum % 10 === 0
}

/** ISO 7064 MOD 97-10, the EID's rule (SGP.02, SGP.29). */
export function passesMod97(digits: string): boolean {
  let remainder = 0
  for (const digit of digits) remainder = (remainder * 10 + Number(digit)) % 97
  return remainder === 1
}
