const names = new Map<string, string>()
const mostNames = 300

/**
 * The name under which a connection keeps a statement, so that it is parsed once. Empty once there are so many names
 * that the texts must be changing: such statements are parsed each time.
 */
export function statementName(text: string): string {
  const name = names.get(text) ?? (names.size < mostNames ? `s${names.size}` : '')
  if (name !== '') names.set(text, name)
  return name
}
