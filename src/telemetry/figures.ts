import type { Counter, Histogram } from 'prom-client'

interface FigureSources {
  readonly bytes: Counter
  readonly ended: Counter<'outcome'>
  readonly lost: Counter
  readonly misses: Counter<'answer'>
  readonly missSeconds: Histogram
  readonly pulls: Counter<'answer'>
  readonly sentBytes: Counter
}

/** The totals of this process that the overview plots, by the names that it knows. */
export async function figuresOf(sources: FigureSources): Promise<ReadonlyMap<string, number>> {
  const { bytes, ended, lost, misses, missSeconds, pulls, sentBytes } = sources
  const totals = new Map<string, number>([
    ['upstreamBytes', await sumOf(bytes)],
    ['jobs:failed', await sumOf(lost)],
    ['sentBytes', await sumOf(sentBytes)],
  ])
  await addByLabel(totals, 'jobs', ended, 'outcome')
  await addByLabel(totals, 'misses', misses, 'answer')
  await addByLabel(totals, 'pulls', pulls, 'answer')
  for (const { value, metricName = '' } of (await missSeconds.get()).values) {
    if (metricName.endsWith('_sum')) add(totals, 'missMs', value * 1_000)
    if (metricName.endsWith('_count')) add(totals, 'missCount', value)
  }
  return totals
}

async function sumOf(counter: Counter): Promise<number> {
  return (await counter.get()).values.reduce((sum, { value }) => sum + value, 0)
}

async function addByLabel<Label extends string>(
  totals: Map<string, number>,
  prefix: string,
  counter: Counter<Label>,
  label: Label,
): Promise<void> {
  for (const { value, labels } of (await counter.get()).values) {
    add(totals, `${prefix}:${labels[label] ?? ''}`, value)
  }
}

function add(totals: Map<string, number>, name: string, amount: number): void {
  totals.set(name, (totals.get(name) ?? 0) + amount)
}
