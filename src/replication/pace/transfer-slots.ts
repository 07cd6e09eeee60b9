import type { Pace } from './transfer-rate.ts'
import type { PendingRequest } from './watched-request.ts'
import type { UsualRate } from './usual-rate.ts'

/** What a transfer needs. */
export interface Transfer {
  readonly bytes: number
  /** Whether it also sends them to the local registry, which has a limit of its own. */
  readonly uploads: boolean
  /** It brings nothing, it only asks what there is: such have slots of their own, as many as transfers have. */
  readonly asks?: boolean
}

/**
 * The right to run transfers from one upstream, as one job has it. A slot is held for one transfer
 * only, and never while waiting for anything but the registries: not for another slot, a lease, a
 * flight or a mount. So nothing that copies can deadlock.
 */
export interface TransferSlots {
  /** How fast bytes may come from this upstream. */
  readonly pace: Pace
  /** How fast they do come. */
  readonly usual: UsualRate
  /**
   * Runs the transfer when its turn has come. While its upstream gives nothing for long, it lets another
   * run in its place.
   * @throws the signal's reason when it is aborted first
   */
  run<T>(
    transfer: Transfer,
    signal: AbortSignal,
    work: (turn: PendingRequest) => Promise<T>,
  ): Promise<T>
  /**
   * A slot for one more connection of a large transfer that runs; gives back how to return it. Undefined where there
   * is none to spare, or where other large transfers run: these have connections of their own.
   */
  extra(): (() => void) | undefined
  /** Asks the upstream something for which nobody has to wait. */
  ask<T>(request: () => Promise<T>): Promise<T>
}
