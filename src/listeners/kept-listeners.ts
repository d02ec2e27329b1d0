import type { AcceptedDigest } from './stored-listeners.ts'

export interface AcceptedListeners {
  /** The key of the digests. */
  key: Buffer
  accepted: readonly AcceptedDigest[]
}

/** A place for one sealed value that outlives the process. */
export interface KeptListeners {
  /** False: there is no such place at the moment. */
  keep(plain: Buffer): boolean
  kept(): Buffer | null
}

const minute = 60_000

/**
 * Whose callbacks are accepted, for a process that starts while the database is away. Digests, never the credentials.
 */
export function keptListeners(place: KeptListeners, onFailure: (error: unknown) => void) {
  let last: string | null = null
  return {
    read(): AcceptedListeners | null {
      const plain = place.kept()
      return plain === null ? null : decode(plain.toString())
    },
    /** Written only when they differ: they are read twice a second. */
    keep(listeners: AcceptedListeners): void {
      const text = encode(listeners)
      if (text === last) return
      try {
        if (place.keep(Buffer.from(text))) last = text
      } catch (error) {
        onFailure(error)
      }
    },
  }
}

interface Encoded {
  key: string
  accepted: { accountName: string; serviceName: string; digest: string; until: number | null }[]
}

function encode({ key, accepted }: AcceptedListeners): string {
  const encoded: Encoded = {
    key: key.toString('base64'),
    accepted: accepted
      .map(({ accountName, serviceName, digest, until }) => ({
        accountName,
        serviceName,
        digest: digest.toString('base64'),
        // The end is computed from how far away it is, which varies by milliseconds from read to read.
        until: Number.isFinite(until) ? Math.round(until / minute) * minute : null,
      }))
      .sort((one, other) => (one.digest < other.digest ? -1 : 1)),
  }
  return JSON.stringify(encoded)
}

function decode(text: string): AcceptedListeners {
  const { key, accepted } = JSON.parse(text) as Encoded
  return {
    key: Buffer.from(key, 'base64'),
    accepted: accepted.map(({ digest, until, ...name }) => ({
      ...name,
      digest: Buffer.from(digest, 'base64'),
      until: until ?? Number.POSITIVE_INFINITY,
    })),
  }
}
