import { HttpError } from '../operating/http-error.ts'
import type { CarrierError } from '../thingspace/carrier-error.ts'

/** Why a request was not taken, as it is stored and as the caller is told. */
export interface CarrierRefusal {
  status: number
  errorCode: string
  errorMessage: string
  retryAfterSeconds: number | null
}

/**
 * What to tell a caller whose request the carrier did not take: the carrier's own code and message where it gave any. A
 * 4xx is for the caller to fix, a 5xx for whoever runs this service.
 */
export function refusalFor(error: CarrierError): CarrierRefusal {
  const { kind, httpStatus } = error
  switch (kind) {
    case 'refused':
      // A 403 concerns our own access there, and is none of the caller's business.
      return said(error, httpStatus === 403 ? 502 : 400, 'ThingSpace refused the request, and gave no reason')
    case 'unauthorized':
      return said(error, 502, 'ThingSpace does not accept the credentials of this service; nothing was sent')
    case 'login-latched':
      return own(
        503,
        'ThingSpace refused two logins in a row, and five would lock the account: none is tried until somebody has put ' +
          'THINGSPACE_USERNAME and THINGSPACE_PASSWORD right and cleared the latch. Nothing was sent',
      )
    case 'rate-limited': {
      const { retryAfterMs } = error
      const retryAfterSeconds = retryAfterMs === null ? 60 : Math.ceil(retryAfterMs / 1_000)
      return { ...said(error, 429, 'ThingSpace takes no more requests now'), retryAfterSeconds }
    }
    case 'unreachable':
    case 'timeout':
      return own(503, 'ThingSpace can not be reached; nothing was sent', 5)
    case 'bad-answer':
      return own(502, 'ThingSpace answered the login with something that can not be used; nothing was sent', 5)
    default: {
      const exhaustiveCheck: never = kind
      throw new Error(`no answer for ${exhaustiveCheck}`)
    }
  }
}

/** Our own reasons for not sending. */
export function own(status: number, errorMessage: string, retryAfterSeconds: number | null = null): CarrierRefusal {
  return { status, errorCode: String(status), errorMessage, retryAfterSeconds }
}

export function asHttpError({ status, errorCode, errorMessage, retryAfterSeconds }: CarrierRefusal): HttpError {
  const headers: Record<string, string> =
    retryAfterSeconds === null ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterSeconds))) }
  return new HttpError(status, errorMessage, headers, errorCode)
}

function said({ errorCode, errorMessage }: CarrierError, status: number, otherwise: string): CarrierRefusal {
  return {
    status,
    errorCode: errorCode ?? String(status),
    errorMessage: errorMessage ?? otherwise,
    retryAfterSeconds: null,
  }
}
