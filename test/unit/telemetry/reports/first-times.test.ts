import { describe, expect, it } from 'vitest'
import { FirstTimes } from '../../../../src/telemetry/reports/first-times.ts'

const HOUR_MS = 3_600_000

describe('FirstTimes', () => {
  it('tells each thing once, and once more after an hour', () => {
    const times = new FirstTimes()

    expect(times.isFirst('team/app push', 0)).toBe(true)
    expect(times.isFirst('team/app push', HOUR_MS - 1)).toBe(false)
    expect(times.isFirst('team/other push', HOUR_MS - 1)).toBe(true)
    expect(times.isFirst('team/app push', HOUR_MS)).toBe(true)
  })

  it('tells no more than a thousand in an hour', () => {
    const times = new FirstTimes()
    const told = Array.from({ length: 5_000 }, (_, i) => times.isFirst(`made up ${i}`, i))

    expect(told.filter(Boolean)).toHaveLength(1_000)
    expect(times.isFirst('made up 4999', HOUR_MS)).toBe(true)
  })
})
