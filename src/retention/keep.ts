/** How long things are kept, in milliseconds; null: for ever. */
export interface Retention {
  callbacks: number | null
  history: number | null
}

/** The carrier can send a message again for 30 days: as long as that, and some more, it must be known as a repeat. */
export const fingerprintsKeptMs = 35 * 86_400_000
