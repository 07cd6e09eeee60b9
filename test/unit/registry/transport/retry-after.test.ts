import { describe, expect, it } from 'vitest'
import { parseRetryAfter } from '../../../../src/registry/transport/retry-after.ts'

describe('parseRetryAfter', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT')

  it.each([
    ['seconds', '120', 120_000],
    ['no wait', '0', 0],
    ['a fraction, as some services send', '1.5', 1_500],
    ['a date', 'Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
    ['a date that has passed', 'Wed, 21 Oct 2026 07:00:00 GMT', 0],
    ['a year, cut to a day', '31536000', 86_400_000],
    ['nothing', undefined, undefined],
    ['an empty text', '', undefined],
    ['nonsense', 'soon', undefined],
    ['a negative number', '-5', undefined],
  ])('reads %s', (_, header, ms) => {
    expect(parseRetryAfter(header, now)).toBe(ms)
  })
})
