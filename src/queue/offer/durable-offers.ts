import type { Redis } from 'ioredis'
import { NotOnDiskError, QueueUnavailableError } from '../../pool/redis-errors.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { inTime } from '../../waiting/in-time.ts'
import type { Offered } from '../enqueued.ts'

type Offer = (requests: readonly ReplicationRequest[]) => Promise<readonly Offered[]>

/** What of a connection is used. */
export type AofRedis = Pick<Redis, 'set' | 'call' | 'on' | 'disconnect'>

/** Less than a command may take. With `appendfsync everysec` Redis mostly needs up to a second. */
const ON_DISK_MS = 1_800

/**
 * Offers that are answered once Redis has written them to its disk. Connections of their own wait for that: what is asked
 * on one that waits has to wait as well. While one waits, what comes is marked on the other, which waits next: mostly
 * the disk has that by then, too.
 */
export class DurableOffers implements AsyncDisposable {
  readonly #offer: Offer
  readonly #connections: readonly [Connection, Connection]
  /** Which of them waits next. */
  #turn = 0
  #underWay: Promise<void> | undefined
  #next: Promise<void> | undefined

  /** @param connections nobody else's; they are closed with this */
  constructor(offer: Offer, connections: readonly [AofRedis, AofRedis]) {
    this.#offer = offer
    const [one, other] = connections
    this.#connections = [new Connection(one), new Connection(other)]
  }

  /** @throws QueueUnavailableError when they are not on disk within about two seconds; they may be later */
  readonly offer: Offer = async (requests) => {
    const offered = await this.#offer(requests)
    await this.#written()
    return offered
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { redis } of this.#connections) redis.disconnect()
    await Promise.resolve()
  }

  /** One wait for all that ask while another is under way: that one may have begun before their jobs were there. */
  async #written(): Promise<void> {
    const connection = this.#connections[this.#turn % 2 === 0 ? 0 : 1]
    try {
      const marked = connection.mark()
      this.#next ??= this.#after(this.#underWay, connection.redis)
      const all = Promise.all([marked, this.#next])
      // However long the wait before has taken.
      const [made] = (await inTime(all, ON_DISK_MS)) ?? []
      if (made !== connection.made) throw new NotOnDiskError(ON_DISK_MS)
    } catch (error) {
      throw new QueueUnavailableError('waiting for the append-only file of Redis', error)
    }
  }

  async #after(before: Promise<void> | undefined, redis: AofRedis): Promise<void> {
    await before?.catch(() => undefined)
    this.#underWay = onDisk(redis)
    this.#next = undefined
    this.#turn += 1
    await this.#underWay
  }
}

class Connection {
  readonly redis: AofRedis
  #made = 0

  constructor(redis: AofRedis) {
    this.redis = redis
    redis.on('ready', () => (this.#made += 1))
  }

  /** How often it was made. One that is made anew has written nothing, and Redis has nothing to wait for. */
  get made(): number {
    return this.#made
  }

  /** Redis waits for what a connection itself has written, and for all that came before that. */
  async mark(): Promise<number> {
    await this.redis.set('pullsync:written', '1', 'PX', 10_000)
    return this.#made
  }
}

async function onDisk(redis: AofRedis): Promise<void> {
  const written = await redis.call('WAITAOF', '1', '0', String(ON_DISK_MS))
  const [local] = written as readonly number[]
  if (local !== 1) throw new NotOnDiskError(ON_DISK_MS)
}
