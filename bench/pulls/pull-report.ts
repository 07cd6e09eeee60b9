import type { Pull } from './pull.ts'
import { median } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'

export interface Pulls {
  readonly name: string
  readonly pulls: readonly Pull[]
}

/** The ratio is to the median of the first. */
export function pullReport(title: string, all: readonly Pulls[]): string {
  const head = [
    title,
    'median s',
    'fastest–slowest s',
    'manifest ms',
    'first blob byte ms',
    'ratio',
  ]
  const first = median(all[0]?.pulls.map(({ ms }) => ms) ?? [])
  return markdownTable([
    head,
    ...all.map(({ name, pulls }) => {
      const times = pulls.map(({ ms }) => ms)
      return [
        name,
        seconds(median(times)),
        `${seconds(Math.min(...times))}–${seconds(Math.max(...times))}`,
        median(pulls.map(({ manifestMs }) => manifestMs)).toFixed(0),
        median(pulls.map(({ firstBlobByteMs }) => firstBlobByteMs)).toFixed(0),
        `${(median(times) / first).toFixed(2)}×`,
      ]
    }),
  ])
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(2)
}
