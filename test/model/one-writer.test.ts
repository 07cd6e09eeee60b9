import { describe, expect, it } from 'vitest'
import { explore } from './explore.ts'
import { oneWriter, type Scenario } from './one-writer.ts'
import { ALL_GUARDS, type Guards } from './one-writer/state.ts'

const WITHIN_MS = 300_000

describe('whatever the order of steps, a tag does not go back, and what was accepted is not forgotten', () => {
  it.each<[string, Scenario]>([
    ['while a client misses the tag, too', { miss: true }],
    ['while the tag has two jobs', { another: true }],
    ['when one worker is killed and another is cut off from Redis', { kill: 1, cut: 1 }],
    ["when Redis' clock jumps", { jump: 1 }],
    ['when Redis fails over, and loses its last writes', { failover: 1 }],
  ])(
    '%s',
    (_, scenario) => {
      const { states, violation } = explore(oneWriter(scenario))

      expect(violation).toBeUndefined()
      expect(states).toBeGreaterThan(1_000)
    },
    WITHIN_MS,
  )
})

describe('the model is worth something: it finds what goes wrong without', () => {
  const FORGOTTEN = 'what was accepted is forgotten'
  it.each<[string, Partial<Guards>, Scenario, string]>([
    ['the confirmation before the write', { confirms: false }, { cut: 1 }, 'the tag goes back'],
    ['one job at a time for a tag', { oneAtATime: false }, { another: true }, 'the tag goes back'],
    ['another look where a write may be old', { looksAgain: false }, { jump: 1 }, FORGOTTEN],
    ['a push that drops the key of what has ended', { forgetsEndings: false }, {}, FORGOTTEN],
    ['a look at whether that ended meanwhile', { looksAfterOffer: false }, {}, FORGOTTEN],
    ['a push that is kept while its tag is copied', { keepsLast: false }, {}, FORGOTTEN],
    [
      'another worker that takes over',
      { recovers: false },
      { kill: 1 },
      'nothing gets to its end any more',
    ],
  ])(
    '%s',
    (_, changed, scenario, what) => {
      const { violation } = explore(oneWriter(scenario, { ...ALL_GUARDS, ...changed }))

      expect(violation).toContain(what)
    },
    WITHIN_MS,
  )
})
