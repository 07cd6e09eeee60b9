import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { LastSeen } from '../../pool/outages/last-seen.ts'
import { keyPrefix } from '../../pool/cluster/cluster-redis.ts'
import { RESYNC_QUEUE } from './resync-schedule.ts'

const BEAT_MS = 10_000
/** The upstream may be away, too: half a minute, a minute, two … until the next day. */
const RETRIES = { attempts: 12, backoff: { type: 'exponential', delay: 30_000 } } as const

export interface OutageWatchOptions {
  readonly connection: Redis
  readonly lastSeen: LastSeen
  /** Whose upstreams tell of a push a few times at most. */
  readonly projects: () => readonly string[]
  readonly onError: (error: Error) => void
}

/**
 * Queues a look at what upstream pushed while nobody was there to be told of it. Any number of processes
 * make one of each: the jobs have names.
 */
export class OutageWatch implements AsyncDisposable {
  readonly #options: OutageWatchOptions
  readonly #timer: NodeJS.Timeout
  #last: Promise<void> = Promise.resolve()

  constructor(options: OutageWatchOptions) {
    this.#options = options
    this.#timer = setInterval(this.#beatSoon, BEAT_MS)
    options.connection.on('ready', this.#beatSoon)
    this.#beatSoon()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#options.connection.off('ready', this.#beatSoon)
    await this.#last
  }

  readonly #beatSoon = (): void => {
    this.#last = this.#last.then(() => this.#beat()).catch(this.#options.onError)
  }

  async #beat(): Promise<void> {
    const { connection, lastSeen, projects } = this.#options
    // What fails while Redis is away is told by whoever needs it.
    if (connection.status !== 'ready') return
    const since = await lastSeen.beat()
    if (since === undefined) return
    await this.#queue(projects(), since)
    await lastSeen.caughtUp(since)
  }

  // Opened each time, as the schedule's.
  async #queue(projects: readonly string[], since: number): Promise<void> {
    const { connection, onError } = this.#options
    const queue = new Queue<unknown, unknown>(RESYNC_QUEUE, {
      connection,
      prefix: keyPrefix(connection),
    })
    queue.on('error', onError)
    try {
      await queue.addBulk(
        projects.map((project) => ({
          name: 'catch-up',
          data: { project, since },
          opts: {
            ...{ jobId: `catch-up-${project}-${since}`, ...RETRIES },
            ...{ removeOnComplete: { count: 100 }, removeOnFail: { count: 100 } },
          },
        })),
      )
    } finally {
      await queue.close()
    }
  }
}
