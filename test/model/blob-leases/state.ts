export interface Guards {
  /** A lease lapses. */
  readonly lapses: boolean
  /** Redis' clock set back does not make it last. */
  readonly isBounded: boolean
  /** It is taken only where there is none. */
  readonly isExclusive: boolean
  /** It is released only by its holder. */
  readonly isReleasedByHolder: boolean
  /** Whoever has just got it looks whether the blob is there by now. */
  readonly looksAgain: boolean
  /** Nobody waits for one who stands still. */
  readonly losesPatience: boolean
}

export const ALL_GUARDS: Guards = {
  ...{ lapses: true, isBounded: true, isExclusive: true, isReleasedByHolder: true },
  ...{ looksAgain: true, losesPatience: true },
}

export interface Faults {
  readonly kill?: number
  /** A worker does not reach Redis any more. */
  readonly cut?: number
  /** An upstream sends nothing any more, and breaks nothing off. */
  readonly stall?: number
  /** An upstream breaks off. */
  readonly breaks?: number
  /** Redis' clock is set back, or ahead. */
  readonly setBack?: number
  readonly setAhead?: number
  /** Redis loses what it has. */
  readonly loss?: number
  /** The registry loses the blob again. */
  readonly collected?: number
}

/** LEASE_MS / BEAT_MS, and how far a clock may be set back. */
export const LEASE = 3
export const SET_BACK = 6

export interface Worker {
  at: 'looks' | 'begins' | 'fetches' | 'landed' | 'done'
  /** What it fetches as; unlike every other attempt. */
  attempt: number
  /** Whom it does not wait for. */
  givenUp: number | null
  /** Whom it asked to let it have the lease. */
  readonly refused: number[]
  hasBeaten: boolean
  isDead: boolean
  isCut: boolean
  isStalled: boolean
}

export interface State {
  lease: { holder: number; ticks: number } | null
  /** Ticks since the holder of the lease died. */
  deadFor: number
  /** Repositories that are said to hold it, and those that do; each worker has its own. */
  holders: number[]
  held: number[]
  readonly workers: Worker[]
  fetches: number
  /** Faults that may each cost a fetch. */
  excuses: number
  attempts: number
  readonly left: Record<keyof Faults, number>
}

export const BEGINS: Worker = {
  ...{ at: 'looks', attempt: -1, givenUp: null, refused: [] },
  ...{ hasBeaten: false, isDead: false, isCut: false, isStalled: false },
}
