import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Watches } from '../../../src/waiting/watches.ts'

const never = new AbortController().signal

describe('Watches', () => {
  const there = new Map<string, string>()
  const looks: string[] = []
  let watches: Watches<string>

  beforeEach(() => {
    vi.useFakeTimers()
    there.clear()
    looks.length = 0
    watches = new Watches((key) => {
      looks.push(key)
      return Promise.resolve(there.get(key))
    })
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  it('looks once for all who wait for the same, and twice a minute afterwards', async () => {
    const waiting = Array.from({ length: 1_000 }, () => watches.wait('a', never))

    expect(looks).toEqual(['a'])
    await vi.advanceTimersByTimeAsync(60_600)
    expect(looks).toHaveLength(4)

    watches.settle('a', 'found')
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['found']))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('finds what came between two looks when it is woken, or soon after it began', async () => {
    const [woken, late] = [watches.wait('woken', never), watches.wait('late', never)]
    await vi.advanceTimersByTimeAsync(1)
    there.set('woken', 'here').set('late', 'too')

    watches.wake('woken')
    expect(await woken).toBe('here')
    await vi.advanceTimersByTimeAsync(500)
    expect(await late).toBe('too')
  })

  it('looks again when it is woken while it looks', async () => {
    const waiting = watches.wait('a', never)
    watches.wake('a')
    there.set('a', 'here')

    expect(await waiting).toBe('here')
    expect(looks).toEqual(['a', 'a'])
  })

  it('takes a look that fails for one that found nothing', async () => {
    let fails = true
    const failing = new Watches(() =>
      fails ? Promise.reject(new Error('no Redis')) : Promise.resolve('here'),
    )
    const waiting = failing.wait('a', never)
    await vi.advanceTimersByTimeAsync(1)
    fails = false
    failing.wakeAll()

    expect(await waiting).toBe('here')
  })

  it('keeps nothing of what nobody waits for any more', async () => {
    const gone = new AbortController()
    const waiting = watches.wait('a', gone.signal)
    gone.abort(new Error('the client went away'))

    await expect(waiting).rejects.toThrow('the client went away')
    expect(vi.getTimerCount()).toBe(0)
  })
})
