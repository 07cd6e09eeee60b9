import { type Clock, REAL_CLOCK } from '../replication/pace/transfer-rate.ts'
import type { SpooledBlob } from '../spool/spooled-blob.ts'
import { FASTER_THAN_A_NETWORK } from './tee-to-spool.ts'

/** The longest that a copy waits for clients. */
const HEAD_START_MS = 5_000

/** A blob that clients follow, from when it is asked for to when nothing more of it comes. */
export interface Coming {
  /**
   * To be called when its first byte is about to come. Resolves when the copy may read it.
   *
   * @param here settles when nothing more of it comes
   */
  headStart(here: Promise<unknown>): Promise<void>
  /** Nothing more of it comes, if anything did. */
  end(): void
}

/** A burst says nothing of how fast the rest comes: so much may have waited in the sockets. */
const FAST_FROM_BYTES = 8 * 1024 * 1024

/**
 * Lets the clients that follow an image have its blobs before the copy reads them again: they wait, the copy does
 * not. What comes over a network is copied as soon as it is here, while the next one comes. Where it comes faster,
 * this machine is what everybody waits for, and nothing is copied until all that is coming is here and the clients
 * have read it, or have had as long for that as it took to come.
 */
export class HeadStart {
  readonly #clock: Clock
  /** With the bytes that were here before. */
  readonly #coming = new Map<SpooledBlob, number>()
  /** These, and those that have come since then. */
  readonly #spooled: SpooledBlob[] = []
  #firstByteAt: number | undefined
  /** Bytes of those that are here by now. */
  #came = 0
  readonly #waiting: (() => void)[] = []

  constructor(clock: Clock = REAL_CLOCK) {
    this.#clock = clock
  }

  begin(spooled: SpooledBlob): Coming {
    this.#coming.set(spooled, spooled.bytes)
    this.#spooled.push(spooled)
    return {
      headStart: async (here) => {
        this.#firstByteAt ??= this.#clock.now()
        await this.#within(HEAD_START_MS, this.#turn(spooled, here))
      },
      end: () => {
        this.#end(spooled)
      },
    }
  }

  async #turn(spooled: SpooledBlob, here: Promise<unknown>): Promise<void> {
    await here.catch(() => undefined)
    // Clients that follow what the disk refused wait for the copy.
    const waits = spooled.arrived && this.#isFast()
    const turn = waits ? new Promise<void>((resolve) => this.#waiting.push(resolve)) : undefined
    this.#end(spooled)
    await turn
  }

  #isFast(): boolean {
    let bytes = this.#came
    for (const [spooled, before] of this.#coming) bytes += spooled.bytes - before
    return bytes > FAST_FROM_BYTES && bytes / this.#sinceFirstByte() > FASTER_THAN_A_NETWORK
  }

  #end(spooled: SpooledBlob): void {
    const before = this.#coming.get(spooled)
    if (before === undefined) return
    this.#coming.delete(spooled)
    this.#came += spooled.bytes - before
    if (this.#coming.size === 0) void this.#allHere()
  }

  async #allHere(): Promise<void> {
    const took = this.#sinceFirstByte()
    const waiting = this.#waiting.splice(0)
    const spooled = this.#spooled.splice(0)
    this.#firstByteAt = undefined
    this.#came = 0
    if (waiting.length === 0) return
    const read = Promise.all(spooled.map((blob) => blob.unfollowed()))
    await this.#within(Math.min(took, HEAD_START_MS), read)
    for (const resolve of waiting) resolve()
  }

  /** In milliseconds. */
  #sinceFirstByte(): number {
    const now = this.#clock.now()
    return now - (this.#firstByteAt ?? now)
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve) => {
      const callOff = this.#clock.after(ms, resolve)
      void work.then(() => {
        callOff()
        resolve()
      })
    })
  }
}
