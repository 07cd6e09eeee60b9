import type { Minute } from '../../pool/figures.ts'
import { formatBytes } from '../../text/format-bytes.ts'
import { type Html, html } from './html.ts'
import { type Plot, plotted } from './plot.ts'

const perMinute = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)}/min`

const PLOTS: readonly Plot[] = [
  {
    title: 'Bytes from upstreams, and to clients',
    series: [
      { label: 'fetched', names: ['upstreamBytes'] },
      { label: 'sent', names: ['sentBytes'] },
    ],
    write: (value) => `${formatBytes(Math.round(value / 60))}/s`,
  },
  {
    title: 'Pulls, by what the local registry had',
    series: [
      { label: 'hits', names: ['pulls:hit'] },
      { label: 'misses', names: ['pulls:miss'] },
    ],
    write: perMinute,
  },
  {
    title: 'Misses, by what clients got',
    series: [
      { label: 'the image', names: ['misses:here', 'misses:on-the-way', 'misses:upstream'] },
      { label: 'nothing', names: ['misses:missing', 'misses:unavailable'] },
    ],
    write: perMinute,
  },
  {
    title: 'Jobs, by how they ended',
    series: [
      { label: 'copied', names: ['jobs:copied'] },
      { label: 'nothing to do', names: ['jobs:up-to-date', 'jobs:deleted'] },
      { label: 'not found or refused', names: ['jobs:not-found', 'jobs:refused'] },
      { label: 'failed', names: ['jobs:failed'] },
    ],
    write: perMinute,
  },
  {
    title: 'First answer to a miss',
    series: [{ label: 'mean', names: ['missMs'] }],
    per: 'missCount',
    write: (ms) => `${(ms / 1_000).toFixed(2)} s`,
  },
]

/** The last hour, and the last day, of what all processes did. */
export function plotsSection(minutes: readonly Minute[], until: number): Html {
  const spans = [
    { hours: 1, title: 'Last hour' },
    { hours: 24, title: 'Last day' },
  ]
  return html`${spans.map(
    ({ hours, title }) =>
      html`<h3>${title}</h3>
        <div class="plots">${PLOTS.map((plot) => plotted(plot, minutes, { until, hours }))}</div>`,
  )}`
}
