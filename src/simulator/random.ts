/**
 * A number in [0, 1) for a seed and a label, always the same for both.
 *
 * Rolls are named, not drawn one after another, so that what happens to one device does not depend on what
 * happened at the same time to the others: the same seed misbehaves the same way, whatever the network does.
 */
export const roll = (seed: number, label: string): number => {
  let hash = seed ^ 0x9e3779b9
  for (let at = 0; at < label.length; at++) hash = Math.imul(hash ^ label.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}

export const chance = (seed: number, label: string, probability: number): boolean => roll(seed, label) < probability

export const shuffle = <T>(seed: number, label: string, items: readonly T[]): T[] => {
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(roll(seed, `${label} ${last}`) * (last + 1))
    const swapped = shuffled[last] as T
    shuffled[last] = shuffled[other] as T
    shuffled[other] = swapped
  }
  return shuffled
}

/** A UUID, version 4 by its look. */
export const seededUuid = (seed: number, label: string): string => {
  const words = [0, 1, 2, 3].map(word => Math.floor(roll(seed, `${label} ${word}`) * 2 ** 32))
  const hex = words.map(word => word.toString(16).padStart(8, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
