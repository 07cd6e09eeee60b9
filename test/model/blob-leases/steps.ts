import type { Step } from '../explore.ts'
import { added, begin, end, release, take } from './redis-scripts.ts'
import {
  BEGINS,
  type Faults,
  type Guards,
  LEASE,
  SET_BACK,
  type State,
  type Worker,
} from './state.ts'

type Change = (state: State) => void

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
    this.#state.workers.forEach((worker, i) => {
      if (!worker.isDead) this.#work(worker, i)
    })
    this.#tick()
    this.#fail()
    return this.#steps
  }

  #may(name: string, change: Change, isFault = false): void {
    const state = JSON.parse(this.#from) as State
    change(state)
    this.#steps.push({ name, state, isFault })
  }

  #mayWork(i: number, what: string, change: (worker: Worker, state: State) => void): void {
    this.#may(`worker ${i} ${what}`, (state) => {
      const worker = state.workers[i]
      if (worker !== undefined) change(worker, state)
    })
  }

  #work(worker: Worker, i: number): void {
    const { at, isCut, isStalled } = worker
    if (at === 'fetches' && !isStalled)
      this.#mayWork(i, 'has pushed it', (now, state) => {
        now.at = 'landed'
        state.held = added(state.held, i)
      })
    if (isCut) this.#workWithoutRedis(worker, i)
    else this.#workWithRedis(worker, i)
  }

  /** unlessRedisFails: it brings the blob as if nothing were known. */
  #workWithoutRedis({ at }: Worker, i: number): void {
    if (at === 'looks' || at === 'begins') this.#mayWork(i, 'knows nothing and begins', begin)
    if (at === 'landed') this.#mayWork(i, 'is done', end)
  }

  #workWithRedis(worker: Worker, i: number): void {
    const { at, attempt, hasBeaten } = worker
    if (at === 'looks') this.#look(worker, i)
    if (at === 'begins')
      this.#mayWork(i, 'asks for the lease [TAKE]', (now, state) => {
        take(now, state, this.#guards)
      })
    if (isHolder(worker) && !hasBeaten)
      this.#mayWork(i, 'beats [RENEW]', (now, { lease }) => {
        now.hasBeaten = true
        if (lease?.holder === attempt) lease.ticks = LEASE
      })
    if (at === 'landed')
      this.#mayWork(i, 'tells of it [BROUGHT]', (now, state) => {
        state.holders = added(state.holders, i)
        release(now, state, this.#guards)
        end(now)
      })
  }

  /** [LOOK], and what follows from it without another look. */
  #look({ refused, givenUp }: Worker, i: number): void {
    const { lease, holders } = this.#state
    const from = holders.find((holder) => !refused.includes(holder))
    if (from !== undefined) {
      this.#mayWork(i, `links it from ${from} [LANDED]`, (worker, state) => {
        if (state.held.includes(from)) {
          state.held = added(state.held, i)
          state.holders = added(state.holders, i)
          end(worker)
          return
        }
        worker.refused.push(from)
        state.holders = state.holders.filter((each) => each !== from)
      })
      return
    }
    if (lease === null || lease.holder === givenUp) {
      this.#mayWork(i, 'finds nobody who brings it [LOOK]', (worker) => (worker.at = 'begins'))
      return
    }
    if (this.#guards.isBounded && lease.ticks > LEASE)
      this.#mayWork(i, 'looks [LOOK]', ({}, state) => {
        if (state.lease !== null) state.lease.ticks = LEASE
      })
    // Patience: it has seen for ten seconds that no byte comes.
    if (this.#guards.losesPatience && this.#state.workers.some(isStalledAs(lease.holder)))
      this.#mayWork(i, 'loses its patience', (worker) => {
        worker.givenUp = lease.holder
      })
  }

  /** Nobody's heart misses a beat for want of time. */
  #tick(): void {
    const { workers, lease } = this.#state
    if (lease === null) return
    const isTooLong = lease.ticks > LEASE && this.#guards.isBounded
    const here = workers.filter(({ isDead, isCut }) => !isDead && !isCut)
    const isWaitedFor = here.some(({ at }) => at === 'looks')
    const mustBeat = here.some((worker) => isHolder(worker) && !worker.hasBeaten)
    if (mustBeat || (isWaitedFor && isTooLong)) return
    this.#may('time goes by', (state) => {
      for (const worker of state.workers) worker.hasBeaten = false
      const holder = state.workers.find(({ attempt }) => attempt === lease.holder)
      state.deadFor = holder?.isDead === true && isWaitedFor ? state.deadFor + 1 : 0
      if (!this.#guards.lapses) return
      const ticks = lease.ticks - 1
      state.lease = ticks === 0 ? null : { ...lease, ticks }
      if (ticks === 0) state.deadFor = 0
    })
  }

  #fail(): void {
    const { left, workers, lease } = this.#state
    const fault = (name: keyof Faults, what: string, change: Change) => {
      const spend: Change = (state) => {
        state.left[name] -= 1
        state.excuses += 1
        change(state)
      }
      if (left[name] > 0) this.#may(what, spend, true)
    }
    workers.forEach((worker, i) => {
      if (worker.isDead || worker.at === 'done') return
      const change =
        (to: Partial<Worker>): Change =>
        (state) => {
          Object.assign(state.workers[i] ?? {}, to)
        }
      fault('kill', `worker ${i} is killed`, change({ isDead: true }))
      if (!worker.isCut) fault('cut', `worker ${i} is cut off`, change({ isCut: true }))
      if (worker.at !== 'fetches') return
      fault('stall', `worker ${i} gets nothing more`, change({ isStalled: true }))
      fault('breaks', `the fetch of worker ${i} breaks`, (state) => {
        const now = state.workers[i]
        if (now === undefined) return
        // Others wait for somebody else already: nobody need fetch it once more for that.
        if (state.lease?.holder !== now.attempt) state.excuses -= 1
        if (!now.isCut) release(now, state, this.#guards)
        Object.assign(now, { ...BEGINS, isCut: now.isCut })
      })
    })
    if (lease !== null)
      fault('setBack', "Redis' clock is set back", (state) => {
        if (state.lease !== null) state.lease.ticks += SET_BACK
        state.deadFor = 0
      })
    fault('setAhead', "Redis' clock is set ahead", (state) => (state.lease = null))
    fault('loss', 'Redis loses all', (state) => {
      state.lease = null
      state.holders = []
    })
    fault('collected', 'the registry collects it', (state) => (state.held = []))
  }
}

/** Until it has told that the blob is there. */
function isHolder({ at }: Worker): boolean {
  return at === 'fetches' || at === 'landed'
}

function isStalledAs(holder: number) {
  return ({ attempt, isStalled }: Worker) => attempt === holder && isStalled
}
