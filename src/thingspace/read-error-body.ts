export interface ErrorBody {
  errorCode: string | null
  errorMessage: string | null
}

const nothing: ErrorBody = { errorCode: null, errorMessage: null }

/**
 * The carrier has four ways to say no (thingspace.md 3.2); all of them become one.
 *
 * 1. `{errorCode, errorMessage}`, the code a name or [CONFLICT] the three digits of the HTTP status
 * 2. the gateway's `{fault: {code, message, description}}` [DOC]
 * 3. the gateway's XML `<am:fault>` [DOC]
 * 4. OAuth's `{error, error_description}` [3P]
 */
export const readErrorBody = (text: string): ErrorBody => {
  const trimmed = text.trim()
  if (trimmed.startsWith('<')) return readFault(trimmed)
  try {
    return readJson(JSON.parse(trimmed))
  } catch {
    return nothing
  }
}

const readJson = (body: unknown): ErrorBody => {
  if (!isObject(body)) return nothing
  if (isObject(body.fault)) return pair(body.fault.code, body.fault.description ?? body.fault.message)
  if (body.errorCode !== undefined || body.errorMessage !== undefined) return pair(body.errorCode, body.errorMessage)
  return pair(body.error, body.error_description)
}

const readFault = (xml: string): ErrorBody => {
  if (!/<(?:\w{1,20}:)?fault[\s>]/.test(xml)) return nothing
  return pair(element(xml, 'code'), element(xml, 'description') ?? element(xml, 'message'))
}

const element = (xml: string, name: string): string | undefined =>
  new RegExp(`<(?:\\w{1,20}:)?${name}>([^<]{0,1000})<`).exec(xml)?.[1]

const pair = (code: unknown, message: unknown): ErrorBody => ({
  errorCode: plain(code, 200),
  errorMessage: plain(message, 500),
})

const plain = (value: unknown, limit: number): string | null => {
  if (typeof value !== 'string' && typeof value !== 'number') return null
  const text = String(value)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, limit)
  return text === '' ? null : text
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
