import { describe, expect, it } from 'vitest'
import { blobLeases } from './blob-leases.ts'
import { ALL_GUARDS, type Faults, type Guards } from './blob-leases/state.ts'
import { explore } from './explore.ts'

const WORKERS = 3
const WITHIN_MS = 300_000

describe('whatever the order of steps, a blob is fetched once, and nobody waits for the dead', () => {
  it.each<[string, Faults]>([
    ['when nothing fails', {}],
    ['when one worker is killed and another is cut off from Redis', { kill: 1, cut: 1 }],
    ['when an upstream falls silent and breaks off', { stall: 1, breaks: 1 }],
    ["when a worker is killed and Redis' clock is set back", { kill: 1, setBack: 1 }],
    ["when a worker is killed and Redis' clock is set ahead", { kill: 1, setAhead: 1 }],
    ['when a worker is killed and Redis loses all', { kill: 1, loss: 1 }],
    ['when an upstream breaks off and the registry collects the blob', { breaks: 1, collected: 1 }],
  ])(
    '%s',
    (_, faults) => {
      const { states, violation } = explore(blobLeases(WORKERS, faults))

      expect(violation).toBeUndefined()
      expect(states).toBeGreaterThan(100)
    },
    WITHIN_MS,
  )
})

describe('the model is worth something: it finds what goes wrong', () => {
  const [TWICE, STUCK] = ['the blob is fetched twice', 'nothing gets to its end any more']
  const KEPT = 'a dead worker keeps its lease'
  it.each<[string, keyof Guards, Faults, string]>([
    ['with a lease that does not lapse', 'lapses', { kill: 1 }, KEPT],
    ['with one that lasts as Redis has it', 'isBounded', { kill: 1, setBack: 1 }, KEPT],
    ['with one that anybody takes', 'isExclusive', {}, TWICE],
    ['with one that anybody releases', 'isReleasedByHolder', { stall: 1, breaks: 1 }, TWICE],
    ['without another look once it is taken', 'looksAgain', {}, TWICE],
    ['where everybody waits for one that stands still', 'losesPatience', { stall: 1 }, STUCK],
  ])(
    '%s',
    (_, guard, faults, what) => {
      const { violation } = explore(blobLeases(WORKERS, faults, { ...ALL_GUARDS, [guard]: false }))

      expect(violation).toContain(what)
    },
    WITHIN_MS,
  )
})
