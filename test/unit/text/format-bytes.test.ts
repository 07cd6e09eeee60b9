import { describe, expect, it } from 'vitest'
import { formatBytes } from '../../../src/text/format-bytes.ts'

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1_023, '1023 B'],
    [1_024, '1.0 KiB'],
    [1_048_575, '1.0 MiB'],
    [12_897_485, '12.3 MiB'],
    [2 ** 30, '1.0 GiB'],
    [5 * 2 ** 50, '5120.0 TiB'],
  ])('writes %i as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })
})
