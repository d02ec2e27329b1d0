/** How long things are kept, in milliseconds; null: for ever. */
export interface Retention {
  callbacks: number | null
  history: number | null
}

/** Verizon keeps messages for 30 days to resend [QUOTE]: as long as that, and some more, one must be known as a repeat. */
export const fingerprintsKeptMs = 35 * 86_400_000
