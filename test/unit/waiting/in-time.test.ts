import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inTime } from '../../../src/waiting/in-time.ts'

describe('inTime', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  it('gives what comes in time, and leaves no timer', async () => {
    expect(await inTime(Promise.resolve('here'), 1_000)).toBe('here')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('fails as what fails in time, and leaves no timer', async () => {
    await expect(inTime(Promise.reject(new Error('no')), 1_000)).rejects.toThrow('no')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('gives nothing when it takes longer, however that ends', async () => {
    let fail: (error: Error) => void = () => undefined
    const late = inTime(new Promise((_, reject) => (fail = reject)), 1_000)

    await vi.advanceTimersByTimeAsync(1_000)
    fail(new Error('too late to matter'))

    expect(await late).toBeUndefined()
  })
})
