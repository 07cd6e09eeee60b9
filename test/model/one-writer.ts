import type { Model, Step } from './explore.ts'

/**
 * Who brings a tag, and who writes it: the offers of src/queue/offer and BullMQ, the ending of a job
 * (src/queue/endings.ts) and the right to a tag (src/queue/work/tag-right.ts). Each step is one Lua
 * script, or one request to a registry. Names in brackets are those of the scripts.
 *
 * Time is in it by what may happen only after something else. A lock lapses when nobody renews it: its
 * worker is dead, or cut off from Redis, or stands still. The PUT of a tag is through, or never comes through, before the
 * lock lapses that its confirmation has renewed. Where Redis itself forgets that lock, by a jump of its
 * clock or a failover, only the end must be right: no registry checks who writes.
 */
export interface Guards {
  /** The right is confirmed just before the PUT. */
  readonly confirms: boolean
  /** A job waits while another one holds the right to its tag. */
  readonly oneAtATime: boolean
  /** Who may have overwritten something newer has it looked at again. */
  readonly looksAgain: boolean
  /** A push drops the key of a job that has ended. */
  readonly forgetsEndings: boolean
  /** … and looks once more whether one has ended between that and its own offer. */
  readonly looksAfterOffer: boolean
  /** A push is kept for afterwards while its tag is being copied. */
  readonly keepsLast: boolean
  /** What dead workers ran is run again. */
  readonly recovers: boolean
}

export const ALL_GUARDS: Guards = {
  confirms: true,
  oneAtATime: true,
  looksAgain: true,
  forgetsEndings: true,
  looksAfterOffer: true,
  keepsLast: true,
  recovers: true,
}

/** How often each may happen. */
export interface Faults {
  readonly kill?: number
  readonly cut?: number
  readonly jump?: number
  readonly failover?: number
}

type Trigger = 'miss' | 'push'

interface Job {
  readonly trigger: Trigger
  at: 'waits' | 'runs' | 'ended'
  /** The worker whose token is in BullMQ's lock. */
  lock: number | null
}

interface Redis {
  readonly jobs: Job[]
  /** BullMQ's deduplication key; it ends by itself once the job is about to. */
  key: { job: number; hasEnding: boolean } | null
  /** Asked for while the job ran. */
  next: boolean
  right: { job: number; token: number } | null
  /** The events that were answered 202. */
  readonly accepted: number[]
}

type At =
  'idle' | 'taken' | 'mayLook' | 'looked' | 'putting' | 'written' | 'remembered' | 'released'

interface Worker {
  at: At | 'lost' | 'offersAgain'
  job: number
  saw: number
  mayHaveWritten: boolean
  isDead: boolean
  isCut: boolean
}

interface Poster {
  readonly trigger: Trigger
  /** What is upstream when it comes. */
  readonly version: number
  at: 'waits' | 'madeWay' | 'offered' | 'done'
  /** That does the work, as it was told. */
  job: number
  isAgain: boolean
}

interface State {
  upstream: number
  local: number
  redis: Redis
  /** What a replica has of it, and how many steps it may fall behind further. */
  replica: { readonly redis: Redis; steps: number } | null
  readonly workers: Worker[]
  readonly posters: Poster[]
  readonly left: { kill: number; cut: number; jump: number; failover: number }
  wentBack: boolean
}

/** Steps that are lost with a primary. */
const MAX_LAG = 4

const IDLE: Worker = {
  ...{ at: 'idle', job: -1, saw: 0, mayHaveWritten: false },
  ...{ isDead: false, isCut: false },
}

export interface Scenario extends Faults {
  /** Whether a client also misses the tag. */
  readonly miss?: boolean
  /** Whether the tag has a second job, in another upstream's queue or further ahead in this one. */
  readonly another?: boolean
}

/** A job brings what a tag is, while upstream's moves on, which is told of. */
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

class Steps {
  readonly #from: string
  readonly #state: State
  readonly #guards: Guards
  readonly #steps: Step<State>[] = []

  constructor(state: State, guards: Guards) {
    this.#from = JSON.stringify(state)
    this.#state = state
    this.#guards = guards
  }

  all(): readonly Step<State>[] {
    this.#state.posters.forEach((poster, i) => {
      this.#post(poster, i)
    })
    this.#state.workers.forEach((worker, i) => {
      this.#work(worker, i)
    })
    if (this.#guards.recovers) this.#recover()
    // Only misses are answered by it.
    if (this.#state.posters.length > 1 && this.#state.redis.key?.hasEnding === true)
      this.#may('the ending is forgotten', ({ redis }) => (redis.key = null))
    this.#fail()
    return this.#steps
  }

  #may(name: string, change: (state: State) => void, isFault = false): void {
    const state = JSON.parse(this.#from) as State
    if (state.replica !== null) state.replica.steps -= 1
    if (state.replica?.steps === 0) state.replica = null
    change(state)
    this.#steps.push({ name, state, isFault })
  }

  #mayWork(i: number, name: string, change: (worker: Worker, state: State) => void): void {
    this.#may(`worker ${i} ${name}`, (state) => {
      const worker = state.workers[i]
      if (worker !== undefined) change(worker, state)
    })
  }

  #post({ at, trigger, version, job, isAgain }: Poster, i: number): void {
    const name = `the ${trigger} of ${version}`
    const go = (what: string, change: (poster: Poster, state: State) => void) => {
      this.#may(`${name} ${what}`, (state) => {
        const poster = state.posters[i]
        if (poster !== undefined) change(poster, state)
      })
    }
    const { looksAfterOffer } = this.#guards
    if (at === 'waits')
      go('makes way', (poster, state) => {
        state.upstream = Math.max(state.upstream, version)
        makeWay(state.redis, trigger, this.#guards)
        poster.at = 'madeWay'
      })
    if (at === 'madeWay')
      go('is offered', (poster, { redis }) => {
        const before = redis.jobs.length
        poster.job = offer(redis, trigger, this.#guards)
        const isNew = poster.job === before
        const looks = !isNew && looksAfterOffer && trigger === 'push'
        poster.at = looks ? 'offered' : 'done'
        if (!looks) redis.accepted.push(i)
      })
    if (at === 'offered')
      go('looks whether that has ended [ENDED]', (poster, { redis }) => {
        const met = redis.jobs[job]
        const isMiss = met?.trigger === 'miss' && !redis.next
        // A job that is met the second time is newer than the offer, and looks late enough.
        const mayNotLook = isMiss || (!isAgain && (met?.at ?? 'ended') === 'ended')
        Object.assign(poster, { at: mayNotLook ? 'waits' : 'done', isAgain: mayNotLook })
        if (!mayNotLook) redis.accepted.push(i)
      })
  }

  #work({ at, job, saw, isDead, isCut }: Worker, i: number): void {
    if (at === 'putting') {
      this.#mayWork(i, 'writes', (worker, state) => {
        if (state.local > saw && isBound(state, i)) state.wentBack = true
        state.local = saw
        if (isDead) rest(worker)
        else worker.at = 'written'
      })
      if (isDead || isCut)
        this.#mayWork(i, 'writes in vain', (worker) => {
          if (isDead) rest(worker)
          else worker.at = 'lost'
        })
    }
    if (isDead) return
    if (at === 'mayLook') this.#mayLook(job, i)
    // LockWatch, by the worker's own clock or because a renewal fails.
    const mayGiveUp = !['idle', 'lost', 'putting', 'offersAgain'].includes(at)
    if (mayGiveUp && (isCut || !isBound(this.#state, i)))
      this.#mayWork(i, 'gives up', (worker) => {
        worker.at = 'lost'
      })
    if (!isCut) this.#workInRedis(at, i)
  }

  #mayLook(job: number, i: number): void {
    this.#mayWork(i, 'looks', (worker, state) => {
      const isSettled = state.redis.jobs[job]?.trigger === 'miss' && state.local > 0
      worker.saw = state.upstream
      worker.at = isSettled || state.local === worker.saw ? 'written' : 'looked'
    })
  }

  #workInRedis(at: Worker['at'], i: number): void {
    const script = WORKERS_SCRIPTS[at]
    if (at === 'idle') {
      this.#state.redis.jobs.forEach((job, id) => {
        if (job.at !== 'waits') return
        this.#mayWork(i, `takes job ${id} [moveToActive]`, (worker, { redis }) => {
          Object.assign(worker, { at: 'taken', job: id })
          Object.assign(redis.jobs[id] ?? {}, { at: 'runs', lock: i })
        })
      })
    } else if (script !== undefined) {
      this.#mayWork(i, script.name, (worker, state) => {
        script.run({ ...state, worker, token: i, guards: this.#guards })
      })
    }
  }

  /** [moveStalledJobsToWait] */
  #recover(): void {
    this.#state.redis.jobs.forEach(({ at, lock }, id) => {
      if (at !== 'runs' || lock !== null) return
      this.#may(`job ${id} waits again`, ({ redis }) => {
        Object.assign(redis.jobs[id] ?? {}, { at: 'waits' })
      })
    })
  }

  #mayFail(fault: keyof State['left'], what: string, change: (state: State) => void): void {
    if (this.#state.left[fault] === 0) return
    const spend = (state: State) => {
      state.left[fault] -= 1
      change(state)
    }
    this.#may(what, spend, true)
  }

  #fail(): void {
    const { workers, redis, replica } = this.#state
    this.#lapse()
    workers.forEach((worker, i) => {
      if (!worker.isDead) this.#strike(worker, i)
    })
    this.#mayFail('jump', "Redis' clock jumps", ({ redis: now }) => {
      for (const job of now.jobs) job.lock = null
      if (now.key?.hasEnding === true) now.key = null
    })
    this.#mayFail('failover', 'the replica falls behind', (state) => {
      state.replica = { redis, steps: MAX_LAG }
    })
    if (replica === null) return
    const takeOver = (state: State) => {
      state.redis = replica.redis
      state.replica = null
      // Whose connection breaks is answered 503, and asks again.
      for (const poster of state.posters) if (poster.at !== 'done') poster.at = 'waits'
    }
    this.#may('the replica takes over', takeOver, true)
  }

  /** The workers are alike: it is enough that one is killed, and the other one cut off. */
  #strike({ at, isCut }: Worker, i: number): void {
    const { left, workers } = this.#state
    const change = (to: Partial<Worker>) => (state: State) => {
      const worker = state.workers[i]
      if (worker === undefined) return
      Object.assign(worker, to)
      if (worker.isDead && at !== 'putting') rest(worker)
    }
    // Redis has forgotten its lock while the registry writes: only it can tell that it has written.
    const isUnbound = at === 'putting' && !isBound(this.#state, i)
    if (i === 0 && !isUnbound)
      this.#mayFail('kill', `worker ${i} is killed`, change({ isDead: true, isCut: false }))
    const isCutOff = i === (left.kill > 0 || workers[0]?.isDead === true ? 1 : 0)
    if (isCutOff && !isCut) this.#mayFail('cut', `worker ${i} is cut off`, change({ isCut: true }))
    if (isCut) this.#may(`worker ${i} is back`, change({ isCut: false }))
  }

  #lapse(): void {
    this.#state.redis.jobs.forEach(({ lock }, id) => {
      if (lock === null) return
      const { at, job, isDead, isCut } = this.#state.workers[lock] ?? IDLE
      const isRenewed = job === id && at !== 'idle' && at !== 'lost' && !isDead && !isCut
      if (isRenewed || (job === id && at === 'putting')) return
      this.#may(`the lock on job ${id} lapses`, ({ redis }) => {
        Object.assign(redis.jobs[id] ?? {}, { lock: null })
      })
    })
  }
}

/** Its lock is still there. */
function isBound({ redis, workers }: State, i: number): boolean {
  return redis.jobs[workers[i]?.job ?? -1]?.lock === i
}

/** [MAKE_WAY] */
function makeWay(redis: Redis, trigger: Trigger, guards: Guards): void {
  const { key, jobs } = redis
  if (trigger === 'miss' || key === null) return
  const held = jobs[key.job]
  const isWaitingMiss = held?.trigger === 'miss' && held.at === 'waits'
  // A miss looks upstream only when nothing is here.
  if ((guards.forgetsEndings && key.hasEnding) || isWaitingMiss) redis.key = null
}

/** [addPrioritizedJob]; the job that does the work. */
function offer(redis: Redis, trigger: Trigger, { keepsLast }: Guards): number {
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

const WORKERS_SCRIPTS: Readonly<Partial<Record<Worker['at'], Script>>> = {
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

/** What it had is of no meaning any more. */
function rest(worker: Worker): void {
  Object.assign(worker, { ...IDLE, isCut: worker.isCut, isDead: worker.isDead })
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
