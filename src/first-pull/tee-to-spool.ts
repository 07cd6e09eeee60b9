import type { Readable } from 'node:stream'
import { PassThroughBody } from '../waiting/pass-through-body.ts'
import type { SpooledBlob } from '../spool/spooled-blob.ts'

interface Begun {
  readonly at: number
  readonly arrived: number
  readonly idleMs: number
}

/** All that comes from the upstreams of this process. */
export interface Arrivals {
  bytes: number
}

export interface TeeOptions {
  readonly spooled: SpooledBlob
  readonly arrivals: Arrivals
  /** Called once, if it turns out to be not worth its while; the spool forgets it then. */
  readonly giveUp: () => void
}

/** So much may have waited in the socket for a busy process: Linux keeps 6 MiB at most. */
const MEASURED_FROM_BYTES = 6 * 1024 * 1024
/** By then it is known how fast it comes. */
const DECIDED_AFTER_BYTES = 14 * 1024 * 1024
/** In bytes per millisecond: more than a network of 1 Gbit/s carries. */
export const FASTER_THAN_A_NETWORK = 160 * 1024
/** Of the time: where this process has less of it to spare, it waits for no upstream. */
const LEAST_IDLE = 1 / 8

/**
 * The same bytes, written to the spool as they pass, unless they come faster than that is worth, or than
 * this process can pass them on. Its reader waits for the disk, too, but does without one that takes no more.
 */
export class TeeToSpool extends PassThroughBody {
  readonly #keeping: TeeOptions
  #begun: Begun | undefined
  #passed = 0
  #decided = false
  #drained: Promise<void> | undefined

  constructor(body: Readable, keeping: TeeOptions) {
    super()
    this.#keeping = keeping
    this.once('close', () => {
      void keeping.spooled.end(this.readableEnded)
    })
    this.relay(body)
  }

  protected override holds(): boolean {
    return this.#keeping.spooled.full
  }

  protected override pass(piece: Buffer): Buffer {
    const { arrivals, spooled } = this.#keeping
    arrivals.bytes += piece.length
    this.#passed += piece.length
    spooled.append(piece)
    if (spooled.full) this.#waitForDisk()
    if (this.#passed >= MEASURED_FROM_BYTES) {
      this.#begun ??= { at: performance.now(), arrived: arrivals.bytes, idleMs: idleMs() }
      if (!this.#decided && this.#passed >= DECIDED_AFTER_BYTES) this.#decide(this.#begun)
    }
    return piece
  }

  protected override broken(cause: Error): void {
    this.destroy(cause)
  }

  #waitForDisk(): void {
    this.#drained ??= this.#keeping.spooled.drained().then(() => {
      this.#drained = undefined
      this.goOn()
    })
  }

  #decide({ at, arrived, idleMs: idleBefore }: Begun): void {
    this.#decided = true
    const { arrivals, giveUp, spooled } = this.#keeping
    // Clients would be cut.
    if (spooled.followed) return
    const elapsedMs = performance.now() - at
    const isFast = (arrivals.bytes - arrived) / elapsedMs > FASTER_THAN_A_NETWORK
    const isBusy = (idleMs() - idleBefore) / elapsedMs < LEAST_IDLE
    // What comes so fast is fetched again in no time. But where this machine is what everything waits for, all
    // that is written twice, for the registry and for the spool, holds every copy up.
    if (isFast || isBusy) giveUp()
  }
}

/** In which this thread had nothing to do but wait, so far. */
function idleMs(): number {
  return performance.eventLoopUtilization().idle
}
