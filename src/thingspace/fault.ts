/**
 * A `faultcode` is a service name, a dot and a code, e.g. `UnifiedWebService.REQUEST_FAILED.DeviceAlreadyActive` [EX].
 * Only the code part means anything: the service name and the text vary between pages ([EX], fact sheet 2.4).
 */
export const faultClasses = ['INPUT_INVALID', 'REQUEST_FAILED', 'REQUEST_ONHOLD', 'REQUEST_CANCELLED'] as const
export type FaultClass = (typeof faultClasses)[number]

/** The class of a fault code, wherever in the code it occurs; null for an unknown one. */
export function faultClass(faultCode: string | null): FaultClass | null {
  const parts = faultCode?.toUpperCase().split('.') ?? []
  return faultClasses.find(known => parts.includes(known)) ?? null
}

/** A request on hold waits for an approval, so its fault is not the end ([INF], fact sheet 2.4). */
export function isFinalFault(faultCode: string | null): boolean {
  return faultClass(faultCode) !== 'REQUEST_ONHOLD'
}
