import type { Model } from './explore.ts'
import {
  ALL_GUARDS,
  type Faults,
  type Guards,
  IDLE,
  type Job,
  type State,
} from './one-writer/state.ts'
import { Steps } from './one-writer/steps.ts'

export interface Scenario extends Faults {
  /** Whether a client also misses the tag. */
  readonly miss?: boolean
  /** Whether the tag has a second job, in another upstream's queue or further ahead in this one. */
  readonly another?: boolean
}

/**
 * A job brings what a tag is, while upstream's moves on, which is told of.
 *
 * Who brings a tag, and who writes it: the offers of src/queue/offer and BullMQ, the ending of a job
 * (src/queue/endings.ts) and the right to a tag (src/queue/work/tag-right.ts). Each step is one Lua
 * script, or one request to a registry. Names in brackets are those of the scripts.
 *
 * Time is in it by what may happen only after something else. A lock lapses when nobody renews it: its
 * worker is dead, or cut off from Redis, or stands still. The PUT of a tag is through, or never comes through, before the
 * lock lapses that its confirmation has renewed. Where Redis itself forgets that lock, by a jump of its
 * clock or a failover, only the end must be right: no registry checks who writes.
 */
export function oneWriter(scenario: Scenario, guards: Guards = ALL_GUARDS): Model<State> {
  const { kill = 0, cut = 0, jump = 0, failover = 0, miss = false, another = false } = scenario
  const job: Job = { trigger: 'push', at: 'waits', lock: null }
  const waits = { at: 'waits', job: -1, isAgain: false } as const
  return {
    initial: {
      ...{ upstream: 1, local: 0, replica: null, wentBack: false },
      redis: {
        ...{ jobs: another ? [job, job] : [job], next: false, right: null },
        ...{ key: { job: 0, hasEnding: false }, accepted: [] },
      },
      workers: [{ ...IDLE }, { ...IDLE }],
      posters: [
        { trigger: 'push', version: 2, ...waits },
        ...(miss ? [{ trigger: 'miss', version: 1, ...waits } as const] : []),
      ],
      left: { kill, cut, jump, failover },
    },
    steps: (state) => new Steps(state, guards).all(),
    wrong(state) {
      if (state.wentBack) return 'the tag goes back'
      return isOver(state) && !isRight(state) ? 'what was accepted is forgotten' : undefined
    },
    isEnd: (state) => isOver(state) && isRight(state),
  }
}

function isOver({ redis, workers, posters }: State): boolean {
  return (
    redis.jobs.every(({ at }) => at === 'ended') &&
    posters.every(({ at }) => at === 'done') &&
    workers.every(({ at, isDead }) => at === 'idle' || (isDead && at !== 'putting'))
  )
}

function isRight({ local, redis, posters }: State): boolean {
  return redis.accepted.every((event) => local >= (posters[event]?.version ?? 0))
}
