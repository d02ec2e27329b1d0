import { HttpError } from './http-error.ts'

/** A time in a query. Text of the right form may still be no time, like the 61st second of a minute. */
export function readTime(parameter: string, text: string): Date {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new HttpError(400, `query parameter: ${parameter} is not a time`)
  return time
}

/**
 * The time before which a list ends. Times are kept in whole milliseconds, so what is before a finer one is before the
 * next of these.
 */
export function readEnd(parameter: string, text: string): Date {
  const time = readTime(parameter, text)
  return /\.\d{3}\d*[1-9]/.test(text) ? new Date(time.getTime() + 1) : time
}
