/** The usual lengths of each kind of identifier; carriers also send others, which the service keeps as they came. */
const usual = /** @type {const} */ ([
  { kind: 'eid', from: 32, to: 32 },
  { kind: 'iccid', from: 18, to: 20 },
  { kind: 'imei', from: 14, to: 16 },
  { kind: 'mdn', from: 10, to: 10 },
  { kind: 'msisdn', from: 8, to: 15 },
])

/**
 * Of what kinds an identifier may be, by how it looks: first the likely ones, then all others; empty when it is none.
 * @param {string} text
 * @returns {{ kind: string, id: string }[]}
 */
export function identifierKinds(text) {
  const compact = text.replaceAll(/[\s.-]/g, '').replace(/^\+/, '')
  // An ICCID of odd length may be padded with an F.
  if (!/^\d{4,64}[fF]?$/.test(compact)) return []
  const id = compact.replace(/[fF]$/, '')
  const { length } = id
  const isLikely = (/** @type {typeof usual[number]} */ { from, to }) => length >= from && length <= to
  // An IMEI is compared by its first 14 digits: fewer would match every device whose IMEI begins with them.
  const possible = usual.filter(({ kind }) => kind !== 'imei' || length >= 14)
  return [...possible.filter(isLikely), ...possible.filter(one => !isLikely(one))].map(({ kind }) => ({ kind, id }))
}
