import { isUtf8 } from 'node:buffer'

/** A JSON object as it was parsed. Keys such as `__proto__` are own properties here and must stay inert. */
export type JsonObject = { [key: string]: unknown }

/** Why a message that parses still can't be trusted to say what it seems to say. */
export type Defect = 'invalid-utf8' | 'duplicate-key' | 'nul-character' | 'lone-surrogate'

export type JsonMessage =
  | { ok: true; message: JsonObject; text: string; defects: Defect[]; duplicateKeys: DuplicateKey[] }
  | { ok: false; problem: string }

export interface DuplicateKey {
  key: string
  depth: number
}

const deepest = 64
const soapHint =
  'the body is XML: this listener was registered through SOAP; deregister it there and register it through the REST API'

/**
 * Parses bytes to a JSON object, and reports everything that `JSON.parse` silently accepts: invalid UTF-8, duplicate
 * keys, U+0000 and lone surrogates. Numbers that a double can't hold keep their digits (as raw JSON), so that what is
 * stored is what came. A byte-order mark is skipped.
 */
export function readJsonMessage(bytes: Buffer): JsonMessage {
  const defects: Defect[] = isUtf8(bytes) ? [] : ['invalid-utf8']
  const decoded = bytes.toString('utf8')
  const text = decoded.charCodeAt(0) === 0xfeff ? decoded.slice(1) : decoded
  const outline = outlineOf(text)
  if (outline.depth > deepest) return { ok: false, problem: `the JSON is nested deeper than ${deepest} levels` }

  const message = parse(text, outline.hasLongNumber)
  if (message === undefined) return { ok: false, problem: problemOf(text) }
  if (typeof message !== 'object' || message === null || Array.isArray(message) || isRawJson(message)) {
    return { ok: false, problem: 'the body is JSON but not an object' }
  }
  if (outline.hasEscapedUnit) defects.push(...oddCharacters(message))
  const duplicateKeys = countKeys(message) === outline.keys ? [] : findDuplicateKeys(text)
  if (duplicateKeys.length > 0) defects.push('duplicate-key')
  return { ok: true, message: message as JsonObject, text, defects, duplicateKeys }
}

/** JSON that we wrote ourselves, with the digits that it was written with. */
export function parseExactly(text: string): unknown {
  return outlineOf(text).hasLongNumber ? JSON.parse(text, keepDigits as Reviver) : JSON.parse(text)
}

function parse(text: string, exactly: boolean): unknown {
  try {
    return exactly ? JSON.parse(text, keepDigits as Reviver) : JSON.parse(text)
  } catch (error) {
    // The parser's own message quotes the body, which may hold a password: it goes no further.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

// TypeScript's library does not yet know the source-text argument of JSON.parse, rawJSON and isRawJSON (ES2026).
type Reviver = (key: string, value: unknown) => unknown

function keepDigits(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value
  return String(value) === context.source ? value : rawJson(context.source)
}

const rawJson = (JSON as unknown as { rawJSON(text: string): object }).rawJSON
const isRawJson = (JSON as unknown as { isRawJSON(value: unknown): boolean }).isRawJSON

/** A number kept with its original digits, because a double would change it. */
export function rawNumber(value: unknown): string | null {
  return isRawJson(value) ? (value as { rawJSON: string }).rawJSON : null
}

function problemOf(text: string): string {
  const start = text.trimStart()
  if (start === '') return 'the body is empty'
  if (/^<[?!A-Za-z_]/.test(start)) return soapHint
  return 'the body is not valid JSON'
}

interface Outline {
  depth: number
  keys: number
  hasLongNumber: boolean
  hasEscapedUnit: boolean
}

/**
 * One pass over the text before it is parsed: how deep it is, how many keys it has, and whether the slower checks are
 * needed.
 * Strings are skipped with indexOf, so that a 1 kB message costs about a microsecond.
 */
function outlineOf(text: string): Outline {
  const outline: Outline = { depth: 0, keys: 0, hasLongNumber: false, hasEscapedUnit: text.includes('\\u') }
  let depth = 0
  let numberStart = -1
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    const inNumber = isNumberUnit(unit) && (numberStart >= 0 || startsNumber(unit))
    if (inNumber && numberStart < 0) numberStart = at
    if (!inNumber && numberStart >= 0) {
      if (mayLoseDigits(text, numberStart, at)) outline.hasLongNumber = true
      numberStart = -1
    }
    if (unit === quote) at = endOfString(text, at)
    else if (unit === colon) outline.keys += 1
    else if (unit === openBrace || unit === openBracket) {
      depth += 1
      if (depth > outline.depth) outline.depth = depth
    } else if (unit === closeBrace || unit === closeBracket) depth -= 1
  }
  return outline
}

const quote = 0x22
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const backslash = 0x5c

/** A digit or a minus: `true` and `false` have an `e`, but are no numbers. */
function startsNumber(unit: number): boolean {
  return (unit >= 0x30 && unit <= 0x39) || unit === 0x2d
}

function isNumberUnit(unit: number): boolean {
  return startsNumber(unit) || unit === 0x2b || unit === 0x2e || unit === 0x65 || unit === 0x45
}

/**
 * Up to 15 digits without fraction or exponent are safe in a double, except -0; everything else takes the exact way.
 */
function mayLoseDigits(text: string, start: number, end: number): boolean {
  return end - start > 15 || text.startsWith('-0', start) || /[.eE]/.test(text.slice(start, end))
}

function endOfString(text: string, openingQuote: number): number {
  let at = text.indexOf('"', openingQuote + 1)
  while (at >= 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1)
  return at < 0 ? text.length : at
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === backslash) backslashes += 1
  return backslashes % 2 === 1
}

function countKeys(value: unknown): number {
  if (typeof value !== 'object' || value === null || isRawJson(value)) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) count += countKeys(item)
    return count
  }
  for (const key of Object.keys(value)) count += 1 + countKeys((value as JsonObject)[key])
  return count
}

function oddCharacters(value: unknown): Defect[] {
  const found = new Set<Defect>()
  visitStrings(value, text => {
    if (text.includes('\u0000')) found.add('nul-character')
    if (!text.isWellFormed()) found.add('lone-surrogate')
  })
  return [...found]
}

function visitStrings(value: unknown, visit: (text: string) => void): void {
  if (typeof value === 'string') visit(value)
  else if (Array.isArray(value)) for (const item of value) visitStrings(item, visit)
  else if (typeof value === 'object' && value !== null) {
    for (const key of Object.keys(value)) {
      visit(key)
      visitStrings((value as JsonObject)[key], visit)
    }
  }
}

/** Only used when the key counts differ, on text that is known to be valid JSON. */
function findDuplicateKeys(text: string): DuplicateKey[] {
  const found: DuplicateKey[] = []
  const open: (Set<string> | null)[] = []
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit === openBrace) open.push(new Set())
    else if (unit === openBracket) open.push(null)
    else if (unit === closeBrace || unit === closeBracket) open.pop()
    else if (unit === quote) {
      const end = endOfString(text, at)
      const keys = open.at(-1)
      if (keys && /^\s*:/.test(text.slice(end + 1, end + 1 + lookahead(text, end)))) {
        const key = JSON.parse(text.slice(at, end + 1)) as string
        if (keys.has(key)) found.push({ key, depth: open.length })
        keys.add(key)
      }
      at = end
    }
  }
  return found
}

function lookahead(text: string, from: number): number {
  let length = 1
  while (/\s/.test(text.charAt(from + length))) length += 1
  return length
}
