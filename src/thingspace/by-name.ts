/** Far more names than there are, and longer than they are. */
const mostNames = 1_000
const longestName = 64

/**
 * Field names are the same in every message, so what follows from a name is worked out once. Within limits, since a
 * sender may make up names.
 */
export function byName<T extends object>(workOut: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>()
  return name => {
    const found = known.get(name)
    if (found !== undefined) return found
    const followed = workOut(name)
    if (known.size < mostNames && name.length <= longestName) known.set(name, followed)
    return followed
  }
}
