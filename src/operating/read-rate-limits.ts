/** Requests per minute; null: no limit. */
export interface RateLimits {
  default: number | null
  byToken: { [name: string]: number | null }
}

/**
 * `30000` for every token, `dashboard=600000,nightly=off` for some tokens only, or both. A token that is not named has
 * the default of 60,000 unless another one is given. Throws for anything else.
 */
export function readRateLimits(text: string | undefined): RateLimits {
  const limits: RateLimits = { default: 60_000, byToken: {} }
  for (const item of text?.split(',') ?? []) {
    const [, name, value = ''] = /^(?:([^=]*)=)?(.*)$/.exec(item.trim()) ?? []
    const limit = readLimit(value.trim())
    if (name === undefined) limits.default = limit
    else limits.byToken[name.trim()] = limit
  }
  return limits
}

function readLimit(text: string): number | null {
  if (text === 'off') return null
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Error('requests a minute, such as 60000 or 60000,dashboard=600000, or off')
  return Number(text)
}
