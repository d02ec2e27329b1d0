const names = new Map<string, string>()
const mostNames = 300

/**
 * The name under which a connection keeps a statement, so that it parses it once. Empty for what comes when there are
 * so many that names must be made from changing texts: those are parsed each time.
 */
export function statementName(text: string): string {
  const name = names.get(text) ?? (names.size < mostNames ? `s${names.size}` : '')
  if (name !== '') names.set(text, name)
  return name
}
