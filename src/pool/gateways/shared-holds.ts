import type { Redis } from 'ioredis'
import { inTime } from '../../waiting/in-time.ts'
import { type Announcements, HOLDS } from '../announced/announcements.ts'
import { type Hold, readHold } from '../breaker.ts'
import { unlessRedisFails } from '../redis-errors.ts'

const SHARED_MS = 1_000
/** A client waits for the answer: what Redis does not say by then holds nobody back. */
const WITHIN_MS = 250

interface Read {
  readonly hold: Promise<Hold | undefined>
  readonly until: number
}

/** Whether upstreams are held, read once a second for all clients of the process. Never rejects. */
export class SharedHolds {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void
  readonly #reads = new Map<string, Read>()

  /** @param announcements tell of a hold as soon as it begins; without them it is seen a second later */
  constructor(redis: Redis, onError: (error: Error) => void, announcements?: Announcements) {
    this.#redis = redis
    this.#onError = onError
    announcements?.listen({
      channel: HOLDS,
      told: (upstream) => {
        this.#reads.delete(upstream)
      },
      missed: () => {
        this.#reads.clear()
      },
    })
  }

  /** While nobody is to ask it; undefined as soon as one may try again. */
  async holdOf(upstream: string): Promise<Hold | undefined> {
    const hold = await this.known(upstream)
    return hold !== undefined && hold.forMs > 0 ? hold : undefined
  }

  /** The same; until it is known to answer, also while one may try, and then of no more milliseconds. */
  async known(upstream: string): Promise<Hold | undefined> {
    const known = this.#reads.get(upstream)
    if (known !== undefined && known.until > performance.now()) return await known.hold
    const hold = this.#read(upstream)
    this.#reads.set(upstream, { hold, until: performance.now() + SHARED_MS })
    return await hold
  }

  async #read(upstream: string): Promise<Hold | undefined> {
    const ask = () => readHold(this.#redis, upstream)
    return await inTime(unlessRedisFails(undefined, ask, this.#onError), WITHIN_MS)
  }
}
