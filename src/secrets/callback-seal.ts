/** What the sealed part of a callback is bound to: moved to another row, it can't be opened. */
export function callbackSeal(callbackId: string): string {
  return `callback:${callbackId}`
}
