/** `Not Downloaded` and `NOT_DOWNLOADED` are one value; a value nobody has documented is kept like any other. */
export function normalWord(word: string | null | undefined): string | null {
  const normal = word?.trim().replace(/\s+/g, '_').toUpperCase()
  return normal === undefined || normal === '' ? null : normal
}

/** A blank says nothing, as where no credentials were registered [EX] CBERR: what was told before stays. */
export function told(value: string | number | null | undefined): string | null {
  const text = String(value ?? '')
  return text.trim() === '' ? null : text
}
