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

export type Trigger = 'miss' | 'push'

export interface Job {
  readonly trigger: Trigger
  at: 'waits' | 'runs' | 'ended'
  /** The worker whose token is in BullMQ's lock. */
  lock: number | null
}

export interface Redis {
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

export interface Worker {
  at: At | 'lost' | 'offersAgain'
  job: number
  saw: number
  mayHaveWritten: boolean
  isDead: boolean
  isCut: boolean
}

export interface Poster {
  readonly trigger: Trigger
  /** What is upstream when it comes. */
  readonly version: number
  at: 'waits' | 'madeWay' | 'offered' | 'done'
  /** That does the work, as it was told. */
  job: number
  isAgain: boolean
}

export interface State {
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

export const IDLE: Worker = {
  ...{ at: 'idle', job: -1, saw: 0, mayHaveWritten: false },
  ...{ isDead: false, isCut: false },
}

/** Its lock is still there. */
export function isBound({ redis, workers }: State, i: number): boolean {
  return redis.jobs[workers[i]?.job ?? -1]?.lock === i
}

/** What it had is of no meaning any more. */
export function rest(worker: Worker): void {
  Object.assign(worker, { ...IDLE, isCut: worker.isCut, isDead: worker.isDead })
}
