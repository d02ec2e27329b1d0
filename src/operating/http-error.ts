import Type, { type Static } from 'typebox'

/** The one error form, the carrier's own ([DOC], seed): for every 4xx and 5xx. */
export const ErrorReply = Type.Object(
  { errorCode: Type.String(), errorMessage: Type.String() },
  { $id: 'Error', title: 'Error', examples: [{ errorCode: '404', errorMessage: 'not found' }] },
)
export type ErrorReply = Static<typeof ErrorReply>

/** For the documentation: what an error status means on a route where it means something special. */
export function refused(description: string) {
  return { ...ErrorReply, 'x-response-description': description }
}

/** An answer that is an error. The message is for the caller: nothing secret, nothing of the inside. */
export class HttpError extends Error {
  override name = 'HttpError'
  readonly statusCode: number
  readonly headers: Record<string, string>
  /** The status, or the carrier's own code when it was the carrier that refused. */
  readonly errorCode: string
  constructor(
    statusCode: number,
    message: string,
    headers: Record<string, string> = {},
    errorCode: string = String(statusCode),
  ) {
    super(message)
    this.statusCode = statusCode
    this.headers = headers
    this.errorCode = errorCode
  }
}

export function errorReply(statusCode: number, errorMessage: string): ErrorReply {
  return { errorCode: String(statusCode), errorMessage }
}
