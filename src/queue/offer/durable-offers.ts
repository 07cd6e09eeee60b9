import type { Redis } from 'ioredis'
import { NotOnDiskError, QueueUnavailableError } from '../../pool/redis-errors.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import type { Offered } from '../enqueued.ts'

type Offer = (requests: readonly ReplicationRequest[]) => Promise<readonly Offered[]>

/** What of a connection is used. */
export type AofRedis = Pick<Redis, 'set' | 'call' | 'disconnect'>

/** Less than a command may take. With `appendfsync everysec` Redis mostly needs up to a second. */
const ON_DISK_MS = 1_800

/**
 * Offers that are answered once Redis has written them to its disk. A connection of its own waits for that: what is asked on one
 * that waits has to wait as well.
 */
export class DurableOffers implements AsyncDisposable {
  readonly #offer: Offer
  readonly #redis: AofRedis
  #underWay: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param redis nobody else's; its connection is closed with this */
  constructor(offer: Offer, redis: AofRedis) {
    this.#offer = offer
    this.#redis = redis
  }

  /** @throws QueueUnavailableError when they are not on disk within about two seconds; they may be later */
  readonly offer: Offer = async (requests) => {
    const offered = await this.#offer(requests)
    await this.#written()
    return offered
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect()
    await Promise.resolve()
  }

  /** One wait for all that ask while another is under way: that one may have begun before their jobs were there. */
  #written(): Promise<void> {
    this.#next ??= this.#after(this.#underWay)
    return this.#next
  }

  async #after(before: Promise<void> | undefined): Promise<void> {
    await before?.catch(() => undefined)
    this.#underWay = this.#onDisk()
    this.#next = undefined
    await this.#underWay
  }

  async #onDisk(): Promise<void> {
    try {
      // It waits for what this connection has written, and for all that Redis had written before.
      const [, written] = await Promise.all([
        this.#redis.set('pullsync:written', '1', 'PX', 10_000),
        this.#redis.call('WAITAOF', '1', '0', String(ON_DISK_MS)),
      ])
      const [local] = written as readonly number[]
      if (local !== 1) throw new NotOnDiskError(ON_DISK_MS)
    } catch (error) {
      throw new QueueUnavailableError('waiting for the append-only file of Redis', error)
    }
  }
}
