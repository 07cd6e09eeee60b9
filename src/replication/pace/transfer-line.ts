import type { TransferClass, TransferLimit } from './transfer-limit.ts'

/** Where a job stands among others. */
export interface JobOrder {
  /** Lower goes first. */
  readonly urgency: number
  /** Milliseconds since 1970; of two jobs as urgent as each other, the older one goes first. */
  readonly queuedAt: number
  /** It has failed before: of those as urgent as each other, it goes last. */
  readonly retried?: boolean
}

export interface Waiting {
  readonly job: JobOrder & { readonly number: number }
  readonly bytes: number
  /** The number of the arrival. */
  readonly arrived: number
  readonly start: () => void
}

/** Those that wait for slots of the same limits and of the same kind, in the order of their turns. */
export class TransferLine {
  readonly kind: TransferClass
  readonly #limits: readonly TransferLimit[]
  readonly #inTurn: Waiting[] = []
  readonly #byArrival = new Set<Waiting>()

  constructor(kind: TransferClass, limits: readonly TransferLimit[]) {
    this.kind = kind
    this.#limits = limits
  }

  /** Undefined while every limit that it needs is reached, or nobody waits. */
  get first(): Waiting | undefined {
    return this.isOpen ? this.#inTurn[0] : undefined
  }

  get longestWaiting(): Waiting | undefined {
    return this.#byArrival.values().next().value
  }

  get isOpen(): boolean {
    return this.#inTurn.length > 0 && this.hasRoom
  }

  /** Whether one more may run now. */
  get hasRoom(): boolean {
    return this.#limits.every((limit) => limit.admits(this.kind))
  }

  add(waiting: Waiting): void {
    this.#inTurn.splice(this.#placeOf(waiting), 0, waiting)
    this.#byArrival.add(waiting)
  }

  /** False when it does not wait here any more. */
  remove(waiting: Waiting): boolean {
    if (!this.#byArrival.delete(waiting)) return false
    this.#inTurn.splice(this.#placeOf(waiting), 1)
    return true
  }

  take(): void {
    for (const limit of this.#limits) limit.take(this.kind)
  }

  give(): void {
    for (const limit of this.#limits) limit.give(this.kind)
  }

  /** False when too many have lent their slots. */
  lend(): boolean {
    if (!this.#limits.every((limit) => limit.canLend)) return false
    for (const limit of this.#limits) limit.lend(this.kind)
    return true
  }

  takeBack(): void {
    for (const limit of this.#limits) limit.takeBack(this.kind)
  }

  /** Its own place when it is in the line, else the place where it belongs. */
  #placeOf(waiting: Waiting): number {
    let [from, to] = [0, this.#inTurn.length]
    while (from < to) {
      const middle = (from + to) >> 1
      const other = this.#inTurn[middle]
      if (other !== undefined && inTurn(other, waiting) < 0) from = middle + 1
      else to = middle
    }
    return from
  }
}

/**
 * Negative when `a` goes first: the more urgent, then the one that has not failed yet, then the older
 * job, then the larger transfer of the same job, because an image is done when its largest layer is.
 */
function inTurn(a: Waiting, b: Waiting): number {
  return (
    a.job.urgency - b.job.urgency ||
    Number(a.job.retried ?? false) - Number(b.job.retried ?? false) ||
    a.job.queuedAt - b.job.queuedAt ||
    a.job.number - b.job.number ||
    b.bytes - a.bytes ||
    a.arrived - b.arrived
  )
}

export function firstOf(all: readonly (Waiting | undefined)[]): Waiting | undefined {
  let first: Waiting | undefined
  for (const waiting of all) {
    if (waiting !== undefined && (first === undefined || inTurn(waiting, first) < 0)) {
      first = waiting
    }
  }
  return first
}
