const number = new Intl.NumberFormat('en')
const clock = new Intl.DateTimeFormat('en-GB', {
  day: '2-digit',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
})

/** @param {number} value */
export function count(value) {
  return number.format(value)
}

/** @param {string | null} time in local time */
export function moment(time) {
  return time === null ? '–' : clock.format(new Date(time)).replace(',', '')
}

/** @param {string} time */
export function ago(time) {
  return `${span(Date.now() - Date.parse(time))} ago`
}

/** @param {number | null} milliseconds roughly, for people */
export function span(milliseconds) {
  if (milliseconds === null) return '–'
  const seconds = Math.max(0, milliseconds) / 1000
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

/** @param {string | boolean | null | undefined} value */
export function word(value) {
  return value === null || value === undefined || value === '' ? '–' : String(value)
}
