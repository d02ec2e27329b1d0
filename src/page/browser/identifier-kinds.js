/**
 * Of what kinds an identifier may be, by how it looks; empty when it is none.
 * @param {string} text
 * @returns {{ kind: string, id: string }[]}
 */
export function identifierKinds(text) {
  const id = text.replaceAll(/[\s-]/g, '').replace(/^\+/, '')
  if (!/^\d{8,32}[fF]?$/.test(id)) return []
  const { length } = id
  const kinds = []
  if (length === 32) kinds.push('eid')
  if (length >= 18 && length <= 20) kinds.push('iccid')
  if (length >= 14 && length <= 16) kinds.push('imei')
  if (length === 10) kinds.push('mdn')
  if (length >= 8 && length <= 15) kinds.push('msisdn')
  return kinds.map(kind => ({ kind, id }))
}
