import net from 'node:net'

/** One connection that is kept open, for one request after the other. */
export interface Post {
  /** The status of the answer; null when none came, and the connection is gone. */
  send(body: string): Promise<number | null>
  isOpen(): boolean
  close(): void
}

const answerWithinMs = 10_000

/**
 * By hand, without an HTTP client: a flood shares its processors with what it floods, and must take as little of them as
 * it can.
 */
export function openPost(url: string, path: string): Post {
  const { hostname, port } = new URL(url)
  const socket = net.connect({ port: Number(port), host: hostname, noDelay: true })
  let answered: ((status: number | null) => void) | null = null
  let text = ''
  const settle = (status: number | null) => {
    const told = answered
    answered = null
    text = ''
    told?.(status)
  }
  socket.setTimeout(answerWithinMs, () => answered !== null && socket.destroy())
  socket.setEncoding('latin1')
  socket.on('data', (chunk: unknown) => {
    text += chunk as string
    const head = text.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
    if (text.length >= head + 4 + length) settle(Number(text.slice(9, 12)))
  })
  socket.on('error', () => undefined)
  socket.on('close', () => settle(null))
  const head = `POST ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n`
  return {
    send: body =>
      new Promise(resolve => {
        if (socket.destroyed) return resolve(null)
        answered = resolve
        socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
      }),
    isOpen: () => !socket.destroyed && socket.writable,
    close: () => socket.destroy(),
  }
}
