import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { html } from './html.js'

const height = 170
/** Whole callbacks, up to some millions a minute: if none of these fits, the axis stays empty. */
const increments = [0, 1, 2, 3, 4, 5, 6].flatMap(zeros => [1, 2, 5].map(digit => digit * 10 ** zeros))
/** Short forms such as 300K, or the numbers would not fit beside the axis. */
const short = new Intl.NumberFormat('en', { notation: 'compact' })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })

/**
 * The kinds of callbacks that make up a bar, from the bottom: first what needs nobody's attention. The colours are
 * those of the list of verdicts beside the chart.
 */
export const layers = [
  { verdicts: ['applied', 'unchanged'], colour: '--accent' },
  { verdicts: ['other'], colour: '--odd' },
  { verdicts: ['unmatched'], colour: '--warn' },
  { verdicts: ['quarantined'], colour: '--bad' },
]

/** @typedef {import('./types.d.ts').Minute} Minute */

/** @param {{ minutes: Minute[] }} props */
export function RateChart({ minutes }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null))
  const chart = useRef(/** @type {uPlot | null} */ (null))
  const [scheme, setScheme] = useState(0)
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const turn = () => setScheme(count => count + 1)
    dark.addEventListener('change', turn)
    return () => dark.removeEventListener('change', turn)
  }, [])

  useEffect(() => {
    const { current } = place
    if (current === null) return
    chart.current = draw(current, asData(minutes))
    const fit = new ResizeObserver(() => chart.current?.setSize({ width: current.clientWidth, height }))
    fit.observe(current)
    return () => {
      fit.disconnect()
      chart.current?.destroy()
      chart.current = null
    }
  }, [scheme])
  useEffect(() => chart.current?.setData(asData(minutes)), [minutes])

  const all = minutes.reduce((sum, { count }) => sum + count, 0)
  const most = Math.max(0, ...minutes.map(({ count }) => count))
  const toLookAt = ['unmatched', 'quarantined'].map(verdict => `${sum(minutes, [verdict])} ${verdict}`).join(', ')
  return html`<div class="chart" ref=${place} role="img"
    aria-label=${`${all} callbacks in the last ${minutes.length} minutes, ${most} in the busiest one; ${toLookAt}`}></div>`
}

/** @param {Minute[]} minutes @param {string[]} verdicts */
function sum(minutes, verdicts) {
  return minutes.reduce((all, { byVerdict }) => all + ofVerdicts(byVerdict, verdicts), 0)
}

/** @param {Record<string, number>} byVerdict @param {string[]} verdicts */
function ofVerdicts(byVerdict, verdicts) {
  return verdicts.reduce((all, verdict) => all + (byVerdict[verdict] ?? 0), 0)
}

/**
 * One series per layer, each as high as all layers up to it, the highest first: later ones are drawn over its lower
 * part.
 * @param {Minute[]} minutes @returns {uPlot.AlignedData}
 */
function asData(minutes) {
  const heights = layers.map((_, at) => {
    const verdicts = layers.slice(0, at + 1).flatMap(layer => layer.verdicts)
    return minutes.map(({ byVerdict }) => ofVerdicts(byVerdict, verdicts))
  })
  return [minutes.map(({ minute }) => Date.parse(minute) / 1000), ...heights.reverse()]
}

/** @param {HTMLElement} place @param {uPlot.AlignedData} data */
function draw(place, data) {
  const style = getComputedStyle(place)
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  }
  return new uPlot(
    {
      width: place.clientWidth,
      height,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { range: (_chart, first, last) => [first - 30, last + 30] },
        y: { range: (_chart, _low, high) => [0, Math.max(5, high * 1.1)] },
      },
      axes: [
        { ...axis, size: 30, grid: { show: false }, values: (_chart, times) => times.map(hour) },
        { ...axis, size: 44, incrs: increments, values: (_chart, counts) => counts.map(count => short.format(count)) },
      ],
      series: [
        {},
        ...layers.toReversed().map(layer => ({
          fill: colour(layer.colour),
          width: 0,
          points: { show: false },
          paths: uPlot.paths.bars?.({ size: [0.8, 24], align: 0 }) ?? (() => null),
        })),
      ],
    },
    data,
    place,
  )
}

/** @param {number} seconds in local time */
function hour(seconds) {
  return clock.format(seconds * 1000)
}
