import type { Step } from '../explore.ts'
import { makeWay, offer, WORKERS_SCRIPTS } from './redis-scripts.ts'
import { type Guards, IDLE, isBound, type Poster, rest, type State, type Worker } from './state.ts'

/** Steps that are lost with a primary. */
const MAX_LAG = 4

export class Steps {
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
