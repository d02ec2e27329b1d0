export interface Polled<T> {
  /** False after a 304: `body` is what it was. */
  changed: boolean
  /** Null for 404. */
  body: T | null
}

/** The service as any other program would ask it: over HTTP, with ETags. */
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
    if (etag !== null) known.set(path, { etag, body })
    return body
  }

  return {
    counts,
    async put<T>(path: string, body: unknown): Promise<{ status: number; body: T }> {
      const { status, etag, text } = await call('PUT', path, {}, body)
      if (status !== 200 && status !== 201) throw unexpected('PUT', path, status, text)
      return { status, body: keep<T>(path, etag, text) }
    },
    async get<T>(path: string): Promise<Polled<T>> {
      const before = known.get(path)
      const { status, etag, text } = await call('GET', path, before === undefined ? {} : { 'if-none-match': before.etag })
      counts.asked++
      if (status === 304) {
        counts.unchanged++
        return { changed: false, body: before?.body as T }
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
