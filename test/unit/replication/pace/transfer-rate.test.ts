import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { TransferRate } from '../../../../src/replication/pace/transfer-rate.ts'
import { ManualClock } from '../../../support/given/manual-clock.ts'

describe('the rate of transfers', () => {
  let clock: ManualClock
  let limit: number | undefined
  let rate: TransferRate
  let passed: string[]

  beforeEach(() => {
    clock = new ManualClock()
    limit = 1_000
    rate = new TransferRate(() => limit, clock)
    passed = []
  })

  function pass(name: string, bytes: number): () => void {
    return rate.pass(bytes, () => passed.push(name))
  }

  it('lets a piece pass once those before it are paid for, first come, first served', () => {
    pass('a', 500)
    pass('b', 300)
    pass('c', 1)
    expect(passed).toEqual(['a'])

    clock.advance(499)
    expect(passed).toEqual(['a'])
    clock.advance(1)
    expect(passed).toEqual(['a', 'b'])
    clock.advance(300)
    expect(passed).toEqual(['a', 'b', 'c'])
    expect(clock.waiting).toBe(0)
  })

  it('takes over a changed share while a transfer waits', () => {
    pass('a', 1_000_000)
    pass('b', 1)
    clock.advance(1_000)
    expect(passed).toEqual(['a'])

    limit = 10_000_000

    clock.advance(600)
    expect(passed).toEqual(['a', 'b'])
  })

  it('lets everybody go when the limit is taken away', () => {
    pass('a', 1_000_000)
    pass('b', 1_000_000)
    pass('c', 1_000_000)
    limit = undefined

    clock.advance(500)

    expect(passed).toEqual(['a', 'b', 'c'])
    pass('d', 1_000_000)
    expect(passed).toContain('d')
    expect(clock.waiting).toBe(0)
  })

  it('forgets those who gave up, and keeps no clock running for them', () => {
    pass('a', 1_000)
    const giveUp = pass('b', 1)
    giveUp()
    expect(clock.waiting).toBe(0)

    clock.advance(5_000)
    pass('c', 1)

    expect(passed).toEqual(['a', 'c'])
  })

  it('saves up no more than a burst while nothing passes', () => {
    clock.advance(60_000)
    pass('a', 101)
    pass('b', 1)
    pass('c', 1)

    expect(passed).toEqual(['a'])
  })

  it('lets no more pass than the limit, a burst and a piece, whatever comes when, and all of it in the end', () => {
    const piece = fc.record({ bytes: fc.integer({ min: 1, max: 64_000 }), pause: fc.nat(3_000) })
    fc.assert(
      fc.property(
        fc.array(piece),
        fc.integer({ min: 1_000, max: 200_000 }),
        (pieces, perSecond) => {
          const time = new ManualClock()
          const bucket = new TransferRate(() => perSecond, time)
          let sum = 0
          for (const { bytes, pause } of pieces) {
            bucket.pass(bytes, () => {
              sum += bytes
              const allowed = (time.now() / 1_000 + 0.1) * perSecond + bytes
              expect(sum).toBeLessThanOrEqual(allowed + 1)
            })
            time.advance(pause)
          }
          time.advance(100 * 64_000)
          expect(sum).toBe(pieces.reduce((total, { bytes }) => total + bytes, 0))
        },
      ),
    )
  })
})
