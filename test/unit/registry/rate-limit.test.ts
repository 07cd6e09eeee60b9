import { describe, expect, it } from 'vitest'
import { parseRateLimit } from '../../../src/registry/rate-limit.ts'

function told(limit: string | undefined, remaining: string | undefined) {
  return parseRateLimit(
    (name) => ({ 'ratelimit-limit': limit, 'ratelimit-remaining': remaining })[name],
  )
}

describe('parseRateLimit', () => {
  it.each([
    ['of Docker Hub', '100;w=21600', '76;w=21600', [100, 76, 21_600]],
    ['with spaces', ' 100 ; w = 21600 ', ' 0 ;w=21600', [100, 0, 21_600]],
    ['with a window beside the limit only', '200;w=60', '7', [200, 7, 60]],
    ['without a window', '500', '499', [500, 499, undefined]],
    ['with further parameters', '100;w=60;comment="x"', '9', [100, 9, 60]],
    ['with a list of policies', '10, 10;w=1, 50;w=60', '9', [10, 9, undefined]],
  ])('reads headers %s', (_, limit, remaining, [count, left, windowSeconds]) => {
    expect(told(limit, remaining)).toEqual({
      limit: count,
      remaining: left,
      ...(windowSeconds !== undefined && { windowSeconds }),
    })
  })

  it.each([
    ['there are none', undefined, undefined],
    ['one is missing', '100;w=21600', undefined],
    ['one is no number', '100', 'unlimited'],
    ['one is negative', '100', '-1'],
    ['one runs on', '100x', '1'],
    ['one is longer than any limit', '100', '1'.repeat(400)],
  ])('says nothing when %s', (_, limit, remaining) => {
    expect(told(limit, remaining)).toBeUndefined()
  })
})
