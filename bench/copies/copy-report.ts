import type { CopyUsage, Measured } from './copies.ts'
import { median } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'

const HEAD = [
  ...['', 'median s', 'fastest–slowest s', 'CPU s', 'upstream CPU s', 'local CPU s'],
  ...['requests', 'peak MiB', 'ratio'],
]

/** One row per step and contestant; the ratio is to the median of the fastest peer of that step. */
export function copyReport(measured: readonly Measured[]): string {
  const rows = measured.map((one) => {
    const peers = measured.filter(({ step, isPeer }) => step === one.step && isPeer)
    return rowOf(one, medianMs(one) / Math.min(...peers.map(medianMs)))
  })
  return markdownTable([HEAD, ...rows])
}

function rowOf({ step, contestant, usages }: Measured, ratio: number): readonly string[] {
  const times = usages.map(({ ms }) => ms)
  const middle = (of: (usage: CopyUsage) => number) => median(usages.map(of))
  return [
    `${step}: ${contestant}`,
    seconds(median(times)),
    `${seconds(Math.min(...times))}–${seconds(Math.max(...times))}`,
    seconds(middle(({ cpuMs }) => cpuMs)),
    seconds(middle(({ upstreamCpuMs }) => upstreamCpuMs)),
    seconds(middle(({ localCpuMs }) => localCpuMs)),
    middle(({ requests }) => requests).toFixed(0),
    Math.max(...usages.map(({ peakMib }) => peakMib)).toFixed(0),
    `${ratio.toFixed(2)}×`,
  ]
}

function medianMs({ usages }: Measured): number {
  return median(usages.map(({ ms }) => ms))
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(2)
}
