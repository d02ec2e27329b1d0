/*
 * What text of a caller may look like. An error shows the words, since the expression itself would help nobody.
 */

export const requestIdPattern = '^[A-Za-z0-9-]{3,64}$'
export const submissionPattern = '^submission-[0-9a-f-]{36}$'
export const keyPattern = '^[\\x21-\\x7e]{1,255}$'
export const operationPattern = '^[a-z_]{1,40}$'
export const askedKindPattern = '^\\s*([eE][iI][dD]|[iI][cC][cC][iI][dD]|[iI][mM][eE][iI])\\s*$'
export const noControlCharacter = '^[^\\x00-\\x1f\\x7f]+$'
export const printable = '^(?=.*\\S)[^\\x00-\\x1f\\x7f]+$'
export const notBlank = '\\S'

const inWords = new Map([
  [requestIdPattern, 'must be 3 to 64 letters, digits and dashes'],
  [submissionPattern, 'must be the name of an unknown activation, submission-...'],
  [keyPattern, 'must be 1 to 255 visible ASCII characters, without spaces'],
  [operationPattern, 'must be up to 40 lower-case letters and underscores'],
  [askedKindPattern, 'must be eid, iccid or imei'],
  [noControlCharacter, 'must hold no control character, and not be empty'],
  [printable, 'must hold no control character, and not be blank'],
  [notBlank, 'must not be blank'],
])

/** What a text that breaks the pattern should be; undefined for a pattern that is not of here. */
export function patternInWords(pattern: unknown): string | undefined {
  return inWords.get(String(pattern))
}
