/** How long things are kept, in milliseconds; null: for ever. */
export interface Retention {
  callbacks: number | null
  history: number | null
}

/**
 * Verizon keeps messages for 30 days to resend [QUOTE]: for that long, and a little more, one must be recognised as a
 * repeat.
 */
export const fingerprintsKeptMs = 35 * 86_400_000
