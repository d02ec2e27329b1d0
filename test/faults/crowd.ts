import net from 'node:net'
import { account } from '../fixtures/account.ts'
import { type Teardown, token } from './stage.ts'

export interface Crowd {
  /** How many were connected at once, at most. */
  held(): number
  /** How often one was turned away; it comes back. */
  turnedAway(): number
  end(): void
}

/** Slow clients: each sends a byte of its headers or its body now and then, or reads nothing of many answers. */
export function startCrowd({ teardown }: Teardown, url: string, size: number): Crowd {
  const { hostname, port } = new URL(url)
  const sockets = new Set<net.Socket>()
  let [ended, held, turnedAway] = [false, 0, 0]
  const begin = (n: number) => {
    if (ended) return
    const socket = net.connect(Number(port), hostname)
    sockets.add(socket)
    held = Math.max(held, sockets.size)
    socket.on('error', () => undefined)
    const post = `POST /callbacks/${account}/CarrierService HTTP/1.1\r\nHost: localhost\r\n`
    const get = `GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`
    if (n % 3 === 0) socket.write('POST /callbacks')
    else if (n % 3 === 1) socket.write(`${post}Content-Length: 1000\r\n\r\n{`)
    else socket.pause().write(get.repeat(10))
    const drip = setInterval(() => n % 3 !== 2 && socket.write('x'), 1_000)
    socket.on('close', () => {
      clearInterval(drip)
      sockets.delete(socket)
      if (!ended) turnedAway += 1
      setTimeout(begin, 500, n)
    })
    if (n % 3 !== 2) socket.resume()
  }
  for (let n = 0; n < size; n += 1) begin(n)
  const end = () => {
    ended = true
    for (const socket of sockets) socket.destroy()
  }
  teardown(end)
  return { held: () => held, turnedAway: () => turnedAway, end }
}
