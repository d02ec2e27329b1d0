/** What the sealed part of a callback is bound to: moved to another row it does not open. */
export function callbackSeal(callbackId: string): string {
  return `callback:${callbackId}`
}
