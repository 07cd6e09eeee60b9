import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LatestBytes } from '../../../src/spool/latest-bytes.ts'

/** Each byte says where it is. */
function pieceAt(at: number, length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, byte) => (at + byte) % 251))
}

describe('the latest bytes of a blob', () => {
  it('are those that came, from anywhere on, and stay as they were read', () => {
    const length = fc.oneof(fc.nat(3), fc.integer({ min: 4_000, max: 5_000 }))
    const steps = fc.array(fc.record({ length, forget: fc.nat(30_000) }), { maxLength: 40 })

    fc.assert(
      fc.property(fc.nat(100), steps, (from, all) => {
        const latest = new LatestBytes(from)
        let until = from
        const read: { at: number; bytes: Buffer }[] = []
        for (const step of all) {
          latest.push(pieceAt(until, step.length))
          until += step.length
          latest.forget(Math.min(from + step.forget, until))
          const at = Math.min(latest.from + step.length, until)
          read.push(...[latest.from, at].map((from) => ({ at: from, bytes: whole(latest, from) })))
          expect(read.at(-1)?.bytes.length).toBe(until - at)
        }
        for (const { at, bytes } of read) expect(bytes.equals(pieceAt(at, bytes.length))).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('are few pieces where they came one by one', () => {
    const latest = new LatestBytes(0)
    for (let at = 0; at < 100_000; at += 1) latest.push(pieceAt(at, 1))

    expect(latest.at(0).length).toBeLessThan(100)
    expect(whole(latest, 0).equals(pieceAt(0, 100_000))).toBe(true)
  })
})

/** In the same memory where it is one piece, as a reader has it. */
function whole(latest: LatestBytes, at: number): Buffer {
  const pieces = latest.at(at)
  return pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces)
}
