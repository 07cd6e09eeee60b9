import type { Measured } from './copies.ts'
import { median } from './statistics.ts'
import { markdownTable } from './table.ts'

const HEAD = ['', 'median s', 'fastest–slowest s', 'CPU s', 'peak MiB', 'ratio']

/** One row per step and contestant; the ratio is to the first contestant's median of that step. */
export function copyReport(measured: readonly Measured[]): string {
  const rows = measured.map((one) => {
    const first = measured.find(({ step }) => step === one.step) ?? one
    return rowOf(one, medianMs(one) / medianMs(first))
  })
  return markdownTable([HEAD, ...rows])
}

function rowOf({ step, contestant, usages }: Measured, ratio: number): readonly string[] {
  const times = usages.map(({ ms }) => ms)
  return [
    `${step}: ${contestant}`,
    seconds(median(times)),
    `${seconds(Math.min(...times))}–${seconds(Math.max(...times))}`,
    seconds(median(usages.map(({ cpuMs }) => cpuMs))),
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
