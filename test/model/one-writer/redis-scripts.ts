import { type Guards, type Redis, rest, type State, type Trigger, type Worker } from './state.ts'

/** [MAKE_WAY] */
export function makeWay(redis: Redis, trigger: Trigger, guards: Guards): void {
  const { key, jobs } = redis
  if (trigger === 'miss' || key === null) return
  const held = jobs[key.job]
  const isWaitingMiss = held?.trigger === 'miss' && held.at === 'waits'
  // A miss looks upstream only when nothing is here.
  if ((guards.forgetsEndings && key.hasEnding) || isWaitingMiss) redis.key = null
}

/** [addPrioritizedJob]; the job that does the work. */
export function offer(redis: Redis, trigger: Trigger, { keepsLast }: Guards): number {
  const { key, jobs } = redis
  if (key === null) {
    redis.key = { job: jobs.length, hasEnding: false }
    return jobs.push({ trigger, at: 'waits', lock: null }) - 1
  }
  // storeDeduplicatedNextJob, with its PERSIST.
  if (trigger === 'push' && keepsLast && jobs[key.job]?.at === 'runs') {
    redis.next = true
    key.hasEnding = false
  }
  return key.job
}

interface Scripted extends Pick<State, 'redis' | 'local'> {
  readonly worker: Worker
  readonly token: number
  readonly guards: Guards
}

interface Script {
  readonly name: string
  readonly run: (state: Scripted) => void
}

const isMine = ({ redis: { right }, worker, token }: Scripted) =>
  right?.job === worker.job && right.token === token

export const WORKERS_SCRIPTS: Readonly<Partial<Record<Worker['at'], Script>>> = {
  taken: {
    name: 'asks for the right [TAKE]',
    run({ redis, worker, token, guards }) {
      const { jobs, right } = redis
      const job = jobs[worker.job]
      if (job?.lock !== token) {
        rest(worker)
        return
      }
      const isHeld =
        right !== null && right.job !== worker.job && jobs[right.job]?.lock === right.token
      if (isHeld && guards.oneAtATime) {
        // postpone
        Object.assign(job, { at: 'waits', lock: null })
        rest(worker)
        return
      }
      redis.right = { job: worker.job, token }
      worker.at = 'mayLook'
    },
  },
  looked: {
    name: 'confirms [CONFIRM]',
    run(state) {
      const { redis, worker, token, guards } = state
      const may = isMine(state) && redis.jobs[worker.job]?.lock === token
      worker.at = may || !guards.confirms ? 'putting' : 'lost'
      worker.mayHaveWritten = worker.at === 'putting'
    },
  },
  written: {
    name: 'remembers the ending [REMEMBER]',
    run({ redis: { key }, worker }) {
      if (key?.job === worker.job) key.hasEnding = true
      worker.at = 'remembered'
    },
  },
  remembered: {
    name: 'releases [RELEASE]',
    run: (state) => {
      release(state, 'released')
    },
  },
  lost: {
    name: 'releases what it lost [RELEASE]',
    run: (state) => {
      release(state, 'idle')
    },
  },
  released: {
    name: 'finishes [moveToFinished]',
    run({ redis, worker, token }) {
      const job = redis.jobs[worker.job]
      if (job?.at === 'runs' && job.lock === token) finish(redis, worker.job)
      rest(worker)
    },
  },
  offersAgain: {
    name: 'has it looked at again',
    run({ redis, worker, guards }) {
      makeWay(redis, 'push', guards)
      offer(redis, 'push', guards)
      rest(worker)
    },
  },
}

function release(state: Scripted, next: Worker['at']): void {
  const { redis, worker, guards } = state
  const mayBeOld = worker.mayHaveWritten && !isMine(state)
  if (isMine(state)) redis.right = null
  worker.mayHaveWritten = false
  worker.at = mayBeOld && guards.looksAgain ? 'offersAgain' : next
  if (worker.at === 'idle') rest(worker)
}

function finish(redis: Redis, id: number): void {
  Object.assign(redis.jobs[id] ?? {}, { at: 'ended', lock: null })
  // removeDeduplicationKeyIfNeededOnFinalization
  if (redis.key?.job === id && !redis.key.hasEnding) redis.key = null
  // requeueDeduplicatedJob
  if (!redis.next) return
  redis.next = false
  redis.key = { job: redis.jobs.length, hasEnding: false }
  redis.jobs.push({ trigger: 'push', at: 'waits', lock: null })
}
