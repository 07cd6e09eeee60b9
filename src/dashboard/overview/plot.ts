import type { Minute } from '../../pool/figures.ts'
import { type Html, html } from './html.ts'

export interface Series {
  readonly label: string
  /** Which figures are added up. */
  readonly names: readonly string[]
}

export interface Plot {
  readonly title: string
  readonly series: readonly Series[]
  /** How a value per minute is written. */
  readonly write: (perMinute: number) => string
  /** Divides by this figure, for means. */
  readonly per?: string
}

export interface Span {
  /** Milliseconds since 1970. */
  readonly until: number
  readonly hours: number
}

const WIDTH = 360
const HEIGHT = 90
const POINTS = 60

/** A line for each series, with its numbers in words for those who do not see it. */
export function plotted(plot: Plot, minutes: readonly Minute[], span: Span): Html {
  const lines = plot.series.map(({ label, names }) => ({
    label,
    values: valuesOf(minutes, names, { span, ...(plot.per !== undefined && { per: plot.per }) }),
  }))
  const top = Math.max(...lines.flatMap(({ values }) => values), 0)
  const spoken = lines.map(
    ({ label, values }) =>
      html`<li>
        <span class="key" aria-hidden="true"></span>${label}: ${plot.write(values.at(-1) ?? 0)} now,
        ${plot.write(Math.max(...values, 0))} at most
      </li>`,
  )
  return html`<figure>
    <figcaption>${plot.title}</figcaption>
    <svg
      viewBox="0 0 ${WIDTH} ${HEIGHT}"
      role="img"
      aria-label="${plot.title}, the last ${
        span.hours === 1 ? 'hour' : `${span.hours} hours`
      }; at most ${plot.write(top)}"
    >
      <line class="axis" x1="0" y1="${HEIGHT - 1}" x2="${WIDTH}" y2="${HEIGHT - 1}" />
      ${lines.map(({ values }) => polyline(values, top))}
    </svg>
    <ul class="keys">
      ${spoken}
    </ul>
  </figure>`
}

function polyline(values: readonly number[], top: number): Html {
  const points = values.map((value, i) => {
    const x = (i / (POINTS - 1)) * WIDTH
    const y = HEIGHT - 2 - (top === 0 ? 0 : (value / top) * (HEIGHT - 6))
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  return html`<polyline points="${points.join(' ')}" />`
}

interface Reading {
  readonly span: Span
  readonly per?: string
}

/** Sixty values, each the mean per minute of its part of the span. */
function valuesOf(
  minutes: readonly Minute[],
  names: readonly string[],
  { span, per }: Reading,
): readonly number[] {
  const width = (span.hours * 3_600_000) / POINTS
  const from = span.until - span.hours * 3_600_000
  const sums = new Array<number>(POINTS).fill(0)
  const divisors = new Array<number>(POINTS).fill(0)
  for (const minute of minutes) {
    // A minute counts where it ends, so that the current one is the last point.
    const at = Math.min(POINTS - 1, Math.floor((minute.at + 59_999 - from) / width))
    if (at < 0) continue
    for (const name of names) sums[at] = (sums[at] ?? 0) + (minute.sums.get(name) ?? 0)
    if (per !== undefined) divisors[at] = (divisors[at] ?? 0) + (minute.sums.get(per) ?? 0)
  }
  if (per === undefined) return sums.map((sum) => sum / (width / 60_000))
  return sums.map((sum, i) => sum / Math.max(1, divisors[i] ?? 0))
}
