/** As much of the API's answers as the demo looks at. */
export interface Activation {
  status: string
  settledAt: string | null
  overdue: boolean
  counts: { targets: number; pending: number; warning: number; succeeded: number; failed: number; conflict: number }
}

export interface Profile {
  iccid: string
  state: string | null
  profileStatus: string | null
  profileRole: string | null
  lastResult: { requestId: string; result: string; faultCode: string | null }
}

export interface StoredCallback {
  verdict: string
  timesSeen: number
  highestCallbackCount: number | null
  result: string | null
  deviceIds: { kind: string; id: string }[]
}

/** The service as any other program asks it: over HTTP, with ETags. */
export function createApi(baseUrl: string) {
  const known = new Map<string, { etag: string; body: unknown }>()
  const counts = { asked: 0, unchanged: 0 }

  async function call(method: string, path: string, headers: Record<string, string>, body?: unknown) {
    const response = await fetch(baseUrl + path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    return { status: response.status, etag: response.headers.get('etag'), text }
  }

  function keep<T>(path: string, etag: string | null, text: string): T {
    const body = JSON.parse(text) as T
    if (etag !== null && !path.includes('cursor=')) known.set(path, { etag, body })
    return body
  }

  return {
    /** How often `get` asked, and how often nothing had changed. */
    counts,
    async put<T>(path: string, body: unknown): Promise<{ status: number; body: T }> {
      const { status, etag, text } = await call('PUT', path, {}, body)
      if (status !== 200 && status !== 201) throw unexpected('PUT', path, status, text)
      return { status, body: keep<T>(path, etag, text) }
    },
    /** `body` is null for 404; after a 304, `changed` is false and `body` is what it was before. */
    async get<T>(path: string): Promise<{ changed: boolean; body: T | null }> {
      const before = known.get(path)
      const condition = before === undefined ? {} : { 'if-none-match': before.etag }
      const { status, etag, text } = await call('GET', path, condition)
      counts.asked++
      if (status === 304 && before !== undefined) {
        counts.unchanged++
        return { changed: false, body: before.body as T }
      }
      if (status === 404) return { changed: true, body: null }
      if (status !== 200) throw unexpected('GET', path, status, text)
      return { changed: true, body: keep<T>(path, etag, text) }
    },
  }
}
export type Api = ReturnType<typeof createApi>

function unexpected(method: string, path: string, status: number, text: string): Error {
  return new Error(`${method} ${path} was answered ${status}: ${text.slice(0, 300)}`)
}
