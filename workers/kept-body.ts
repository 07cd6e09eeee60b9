import type { Readable } from 'node:stream'
import { Relay } from '../src/registry/relay.ts'
import type { SpooledBlob } from '../src/spool/spooled-blob.ts'

/** All that comes from the upstreams of this process. */
export interface Arrivals {
  bytes: number
}

export interface Keeping {
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

/**
 * The same bytes, written to the spool as they pass, unless they come faster than that is worth. Its
 * reader waits for the disk, too, but does without one that takes no more.
 */
export class KeptBody extends Relay {
  readonly #keeping: Keeping
  #begun: { readonly at: number; readonly arrived: number } | undefined
  #passed = 0
  #decided = false

  constructor(body: Readable, keeping: Keeping) {
    super()
    this.#keeping = keeping
    this.once('close', () => {
      void keeping.spooled.end(this.readableEnded)
    })
    this.relay(body)
  }

  protected override passing(piece: Buffer): void {
    const { arrivals, spooled } = this.#keeping
    arrivals.bytes += piece.length
    this.#passed += piece.length
    spooled.append(piece)
    if (this.#passed >= MEASURED_FROM_BYTES) {
      this.#begun ??= { at: performance.now(), arrived: arrivals.bytes }
      if (!this.#decided && this.#passed >= DECIDED_AFTER_BYTES) this.#decide(this.#begun)
    }
  }

  protected override broken(cause: Error): void {
    this.destroy(cause)
  }

  override _read(): void {
    const { spooled } = this.#keeping
    if (!spooled.full) {
      super._read()
      return
    }
    void spooled.drained().then(() => {
      super._read()
    })
  }

  #decide({ at, arrived }: { readonly at: number; readonly arrived: number }): void {
    this.#decided = true
    const { arrivals, giveUp } = this.#keeping
    const bytesPerMs = (arrivals.bytes - arrived) / (performance.now() - at)
    // What comes so fast is fetched again in no time, but a disk that has to write it twice, for the
    // registry and for the spool, holds every copy up.
    if (bytesPerMs > FASTER_THAN_A_NETWORK) giveUp()
  }
}
