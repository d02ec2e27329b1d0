/** Where the database may be: several servers, of which one at a time takes writes. */
export interface Hosts {
  /** The one to connect to now. */
  current(): string
  /** This one can't be reached or takes no writes: the next connection goes to the next one. */
  leave(url: string): void
  /** Called at each move: connections to the abandoned server may still answer, but not with the truth. */
  whenLeft(told: () => void): void
  /** Of several, the one that takes writes is looked for. */
  mustWrite: boolean
  /** A standby will do: `target_session_attrs=any`. */
  mayFollow: boolean
}

/**
 * `postgres://user:password@one:5432,two:5432/name`, since the driver only understands one host. As with libpq,
 * `target_session_attrs=any` takes whichever can be reached; otherwise the server must take writes. What one connection
 * of this process finds out holds for all of them.
 */
export function hostsOf(url: string): Hosts {
  const found = known.get(url) ?? makeHosts(url)
  known.set(url, found)
  return found
}

const known = new Map<string, Hosts>()

function makeHosts(url: string): Hosts {
  const urls = splitHosts(url)
  let at = 0
  const listening: (() => void)[] = []
  const mayFollow = /[?&]target_session_attrs=any\b/.test(url)
  const current = () => urls[at % urls.length] ?? url
  return {
    current,
    leave(left) {
      // Many connections fail at once: the first report moves all of them.
      if (left !== current() || urls.length === 1) return
      at += 1
      for (const told of listening) told()
    },
    whenLeft(told) {
      listening.push(told)
    },
    mustWrite: urls.length > 1 && !mayFollow,
    mayFollow,
  }
}

export function splitHosts(url: string): string[] {
  const [, before = '', hosts = '', after = ''] = /^(\w+:\/\/(?:[^@/]*@)?)([^/?]*)(.*)$/.exec(url) ?? []
  if (!hosts.includes(',')) return [url]
  const rest = after.replace(/([?&])target_session_attrs=[^&]*&?/, '$1').replace(/[?&]$/, '')
  return hosts.split(',').map(host => `${before}${host}${rest}`)
}
