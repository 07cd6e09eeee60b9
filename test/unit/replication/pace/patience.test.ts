import { expect, it } from 'vitest'
import { Patience } from '../../../../src/replication/pace/patience.ts'
import { ManualClock } from '../../../support/given/manual-clock.ts'

const KIB = 1024

/** Asks once a second while so many bytes come in each; gives back how long it lasts, in seconds. */
function lasts(
  usual: number,
  perSecond: (second: number) => number,
  { size = 1_000_000 * KIB, origin = 'hq' } = {},
) {
  const clock = new ManualClock()
  const patience = new Patience(size, { origin, usual: () => usual }, clock)
  let bytes = 0
  for (let second = 0; second < 120; second += 1) {
    if (!patience.lastsFor({ holder: 'other', origin: 'lab', bytes })) return second
    bytes += perSecond(second)
    clock.advance(1_000)
  }
  return Infinity
}

it.each([
  ['comes as fast as usual', 800 * KIB, () => 800 * KIB, Infinity],
  ['comes at a quarter of that', 800 * KIB, () => 200 * KIB, Infinity],
  ['comes at a tenth of that', 800 * KIB, () => 80 * KIB, 10],
  ['comes byte by byte', 800 * KIB, () => 1, 10],
  ['does not come', 0, () => 0, 10],
  ['comes byte by byte, and nothing is known of one’s own', 0, () => 1, 10],
  ['comes, and nothing is known of one’s own', 0, () => 200 * KIB, Infinity],
  ['stops after half a minute', 800 * KIB, (at: number) => (at < 30 ? 800 * KIB : 0), 40],
])('for a blob that %s', (_, usual, perSecond, seconds) => {
  expect(lasts(usual, perSecond)).toBe(seconds)
})

it('lasts while it comes slowly from one’s own upstream, of which nothing else is known', () => {
  expect(lasts(0, () => 1, { origin: 'lab' })).toBe(Infinity)
})

it('lasts while what has come in full is being stored', () => {
  expect(lasts(800 * KIB, (second) => (second === 0 ? 10 * KIB : 0), { size: 10 * KIB })).toBe(
    Infinity,
  )
})

it('begins anew with another one, and does not come back', () => {
  const clock = new ManualClock()
  const patience = new Patience(1_000, { origin: 'hq', usual: () => 0 }, clock)
  const [first, second] = ['first', 'second'].map((holder) => ({ holder, origin: '', bytes: 1 }))
  if (first === undefined || second === undefined) throw new Error('there are two')
  patience.lastsFor(first)
  clock.advance(10_000)

  expect(patience.lastsFor(first)).toBe(false)
  expect(patience.lastsFor(second)).toBe(true)
  expect(patience.lastsFor({ ...first, bytes: 900 })).toBe(false)
})
