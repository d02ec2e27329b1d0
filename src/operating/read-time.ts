import { HttpError } from './http-error.ts'

/** A time of a query. What has the form of one can still be none, like the 61st second of a minute. */
export function readTime(parameter: string, text: string): Date {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new HttpError(400, `query parameter: ${parameter} is not a time`)
  return time
}
