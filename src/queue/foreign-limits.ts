import type { ReplicationQueues } from './queues.ts'
import type { ReplicationQueue } from './replication-queue.ts'

/** What somebody else has set on an upstream's queue; pullsync sets neither. */
export interface ForeignLimit {
  readonly upstream: string
  readonly limit: string
}

export interface ForeignLimitsOptions {
  readonly onUndone: (undone: ForeignLimit) => void
  readonly onError: (error: Error) => void
  readonly everyMs?: number
}

const EVERY_MS = 30_000

/**
 * Takes away limits that other tools for BullMQ have set on the queues: they would slow work down, survive every
 * restart, and stand in no configuration. Looks when Redis is there and every half minute.
 */
export class ForeignLimits implements AsyncDisposable {
  readonly #queues: ReplicationQueues
  readonly #options: ForeignLimitsOptions
  readonly #timer: NodeJS.Timeout
  #last: Promise<void> = Promise.resolve()

  constructor(queues: ReplicationQueues, options: ForeignLimitsOptions) {
    this.#queues = queues
    this.#options = options
    this.#timer = setInterval(this.#look, options.everyMs ?? EVERY_MS)
    queues.redis.on('ready', this.#look)
    if (queues.redis.status === 'ready') this.#look()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#queues.redis.off('ready', this.#look)
    await this.#last
  }

  readonly #look = (): void => {
    if (this.#queues.redis.status !== 'ready') return
    this.#last = this.#last.then(() => this.#undoAll()).catch(this.#options.onError)
  }

  async #undoAll(): Promise<void> {
    for (const [upstream, queue] of this.#queues.all()) {
      for (const limit of await undoOf(queue)) this.#options.onUndone({ upstream, limit })
    }
  }
}

async function undoOf(queue: ReplicationQueue): Promise<readonly string[]> {
  const [concurrency, rate] = await Promise.all([
    queue.getGlobalConcurrency(),
    queue.getGlobalRateLimit(),
  ])
  const undone: string[] = []
  if (concurrency !== null) {
    await queue.removeGlobalConcurrency()
    undone.push(`${concurrency} jobs at once`)
  }
  if (rate !== null) {
    await queue.removeGlobalRateLimit()
    undone.push(`${rate.max} jobs in ${rate.duration} ms`)
  }
  return undone
}
