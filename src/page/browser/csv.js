const columns = /** @type {const} */ ([
  'iccid',
  'eid',
  'imei',
  'result',
  'overdue',
  'faultCode',
  'faultMessage',
  'source',
  'settledAt',
  'callbacks',
  'requested',
])

/**
 * Targets as CSV (RFC 4180).
 * @param {import('./types.d.ts').Target[]} targets
 */
export function targetsAsCsv(targets) {
  const rows = [columns, ...targets.map(target => columns.map(column => target[column]))]
  return rows.map(row => `${row.map(cell).join(',')}\r\n`).join('')
}

/**
 * What a carrier's text begins with could be run as a formula by a spreadsheet: then it gets an apostrophe in front.
 * @param {string | number | boolean | null} value
 */
function cell(value) {
  const text = String(value ?? '')
  const harmless = /^[=+\-@\t\r\n]/.test(text.trimStart()) || /^[\t\r\n]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
