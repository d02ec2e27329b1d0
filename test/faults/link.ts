import { once } from 'node:events'
import net from 'node:net'

/** A way between the service and its PostgreSQL that can be broken in every manner. */
export interface Link {
  /** The database by this way. */
  url: string
  /** Connections that are open, by the server's count of them. */
  open(): number
  /** Connections that are open now carry nothing any more, in silence; new ones work. */
  freezeOpen(): void
  /** The far side of the frozen ones is told, as its system would notice in the end. */
  dropFrozen(): void
  /** Nothing comes through at all, neither on old connections nor on new ones, until `restore`. */
  freezeAll(): void
  /** Every connection is broken off; new ones work. */
  cut(): void
  /** Every connection is broken off, and no new one is taken until `restore`. */
  close(): void
  restore(): void
  /** The next commits happen, but their answers never arrive: the connection is broken off instead. */
  cutAfterCommits(count: number): void
  /** How often that has happened. */
  commitsCut(): number
  /** From now on, another server. */
  leadTo(url: string): void
  stop(): Promise<void>
}

interface Pair {
  near: net.Socket
  far: net.Socket
  frozen: boolean
}

export async function startLink(databaseUrl: string): Promise<Link> {
  let target = new URL(databaseUrl)
  let mode: 'open' | 'closed' | 'frozen' = 'open'
  let toCut = 0
  let cutSoFar = 0
  const pairs = new Set<Pair>()

  const server = net.createServer(near => {
    near.on('error', () => undefined)
    if (mode === 'closed') return near.destroy()
    const far = net.connect(Number(target.port), target.hostname)
    const pair: Pair = { near, far, frozen: mode === 'frozen' }
    pairs.add(pair)
    near.on('data', bytes => {
      if (!pair.frozen) far.write(bytes)
    })
    far.on('data', bytes => {
      if (pair.frozen) return
      if (toCut > 0 && bytes.includes('COMMIT\0')) {
        toCut -= 1
        cutSoFar += 1
        return end(pair)
      }
      near.write(bytes)
    })
    far.on('error', () => end(pair))
    for (const side of [near, far]) side.on('close', () => pair.frozen || end(pair))
  })

  function end(pair: Pair): void {
    pairs.delete(pair)
    pair.near.destroy()
    pair.far.destroy()
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return {
    url: url.href,
    open: () => pairs.size,
    freezeOpen() {
      for (const pair of pairs) pair.frozen = true
    },
    dropFrozen() {
      for (const pair of pairs) if (pair.frozen) end(pair)
    },
    freezeAll() {
      mode = 'frozen'
      for (const pair of pairs) pair.frozen = true
    },
    cut() {
      for (const pair of pairs) end(pair)
    },
    close() {
      mode = 'closed'
      for (const pair of pairs) end(pair)
    },
    restore() {
      mode = 'open'
    },
    cutAfterCommits(count) {
      toCut = count
    },
    commitsCut: () => cutSoFar,
    leadTo(next) {
      target = new URL(next)
    },
    async stop() {
      for (const pair of pairs) end(pair)
      server.close()
      await once(server, 'close')
    },
  }
}
