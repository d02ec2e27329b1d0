import { randomBytes } from 'node:crypto'

/** At most 40 characters each [QUOTE] REG. */
const most = 40

/** 240 random bits in 40 characters. Nobody needs to know it except ThingSpace, which sends it with every callback. */
export function makePassword(): string {
  return randomBytes(30).toString('base64url')
}

/** Made from the account, since credentials are how the carrier tells accounts apart [DOC] SOAP. */
export function makeUsername(accountName: string): string {
  return `listener-${accountName}`.slice(0, most)
}

/** Throws an `Error` that says what is wrong, without the value. `forbidden` are the credentials of the API itself. */
export function checkCredential(what: string, value: string, forbidden: readonly string[]): string {
  if (!/^[\x20-\x7e]+$/.test(value) || value.trim() !== value || value.length > most) {
    throw new Error(`the ${what} of a listener is 1 to ${most} printable ASCII characters, without blanks around them`)
  }
  // [QUOTE] REG
  if (forbidden.includes(value)) throw new Error(`the ${what} of a listener must not be one of the ThingSpace API`)
  return value
}
