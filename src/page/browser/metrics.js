/**
 * Sums of the samples of each metric, from Prometheus text.
 * @param {string} text
 * @returns {Map<string, { labels: string, value: number }[]>}
 */
export function readMetrics(text) {
  const samples = new Map()
  for (const [, name, labels = '', value] of text.matchAll(/^([a-z_][a-z0-9_]*)(?:\{([^}]*)\})? (\S+)/gm)) {
    samples.set(name, [...(samples.get(name) ?? []), { labels, value: Number(value) }])
  }
  return samples
}

/**
 * @param {ReturnType<typeof readMetrics>} metrics
 * @param {string} name
 * @returns {number | null} null when there is no such metric
 */
export function total(metrics, name) {
  const samples = metrics.get(name)
  return samples === undefined ? null : samples.reduce((sum, { value }) => sum + value, 0)
}
