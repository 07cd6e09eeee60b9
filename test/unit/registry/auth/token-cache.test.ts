import { describe, expect, it } from 'vitest'
import { TokenCache } from '../../../../src/registry/auth/token-cache.ts'

const SIGNAL = new AbortController().signal

function counting(lifeMs = 60_000) {
  let count = 0
  const fetch = () => {
    count += 1
    const expiresAt = performance.now() + lifeMs
    return Promise.resolve({ value: `t${count}`, expiresAt, lacks: [] })
  }
  return { fetch, count: () => count }
}

describe('TokenCache', () => {
  it('gives the same token until it expires', async () => {
    const cache = new TokenCache()
    const { fetch } = counting()

    expect(await cache.get('a', fetch, SIGNAL)).toMatchObject({ value: 't1', fresh: true })
    expect(await cache.get('a', fetch, SIGNAL)).toMatchObject({ value: 't1', fresh: false })
    expect(await cache.get('b', fetch, SIGNAL)).toMatchObject({ value: 't2', fresh: true })
  })

  it('does not give an expired one', async () => {
    const cache = new TokenCache()
    const { fetch } = counting(0)

    await cache.get('a', fetch, SIGNAL)

    expect(await cache.get('a', fetch, SIGNAL)).toMatchObject({ value: 't2', fresh: true })
  })

  it('forgets a refused one, but not its successor', async () => {
    const cache = new TokenCache()
    const { fetch } = counting()
    await cache.get('a', fetch, SIGNAL)

    cache.drop('a', 't1')
    await cache.get('a', fetch, SIGNAL)
    cache.drop('a', 't1')

    expect(await cache.get('a', fetch, SIGNAL)).toMatchObject({ value: 't2', fresh: false })
  })

  it('shares a failure with all that wait, and tries again for the next', async () => {
    const cache = new TokenCache()
    const failing = () => Promise.reject(new Error('down'))
    const waiting = [cache.get('a', failing, SIGNAL), cache.get('a', failing, SIGNAL)]

    expect(await Promise.allSettled(waiting)).toMatchObject([
      { reason: { message: 'down' } },
      { reason: { message: 'down' } },
    ])
    expect(await cache.get('a', counting().fetch, SIGNAL)).toMatchObject({ value: 't1' })
  })

  it('does not grow without end', async () => {
    const cache = new TokenCache()
    const { fetch, count } = counting()
    for (let key = 0; key < 2_001; key += 1) await cache.get(`${key}`, fetch, SIGNAL)

    await cache.get('2000', fetch, SIGNAL)
    expect(count()).toBe(2_001)
    await cache.get('0', fetch, SIGNAL)
    expect(count()).toBe(2_002)
  })
})
