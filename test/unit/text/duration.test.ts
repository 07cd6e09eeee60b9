import { describe, expect, it } from 'vitest'
import { formatDuration } from '../../../src/text/duration.ts'

describe('formatDuration', () => {
  it.each([
    [-5, '0s'],
    [0, '0s'],
    [499, '0s'],
    [45_000, '45s'],
    [59_600, '1m'],
    [754_000, '12m 34s'],
    [3_600_000, '1h'],
    [3_900_000, '1h 5m'],
    [86_400_000 * 2 + 3_600_000 * 4 + 59_000, '2d 4h'],
    [86_400_000 + 59_000, '1d'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})
