import { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import type { ProjectConfig } from '../../config/config.ts'
import { keyPrefix } from '../../pool/cluster/cluster-redis.ts'

/** Not a name that an upstream can have. */
export const RESYNC_QUEUE = '.resync'

const KEPT = { count: 100 }

type ResyncQueue = Queue<unknown, unknown>

/**
 * When which project is walked, kept by BullMQ in Redis: any number of processes that say the same
 * make one schedule, and a walk that came due while none ran is made when one runs again.
 */
export class ResyncSchedule implements AsyncDisposable {
  readonly #connection: Redis
  readonly #onError: (error: Error) => void
  #projects: readonly ProjectConfig[]
  #last: Promise<void> = Promise.resolve()

  constructor(
    connection: Redis,
    projects: readonly ProjectConfig[],
    onError: (error: Error) => void,
  ) {
    this.#connection = connection
    this.#projects = projects
    this.#onError = onError
    // A Redis that is back may have forgotten everything.
    connection.on('ready', this.#apply)
    if (connection.status === 'ready') this.#apply()
  }

  /** Brings the schedule into line with the configuration, now or when Redis is there. */
  configure(projects: readonly ProjectConfig[]): void {
    this.#projects = projects
    if (this.#connection.status === 'ready') this.#apply()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#connection.off('ready', this.#apply)
    await this.#last
  }

  readonly #apply = (): void => {
    this.#last = this.#last.then(() => this.#bringIntoLine()).catch(this.#onError)
  }

  // Opened each time: a BullMQ queue whose first connection failed stays unusable.
  async #bringIntoLine(): Promise<void> {
    const queue: ResyncQueue = new Queue(RESYNC_QUEUE, {
      connection: this.#connection,
      prefix: keyPrefix(this.#connection),
    })
    queue.on('error', this.#onError)
    try {
      await applySchedule(queue, this.#projects)
    } finally {
      await queue.close()
    }
  }
}

async function applySchedule(queue: ResyncQueue, projects: readonly ProjectConfig[]) {
  // One walk at a time, over all processes: nobody waits for it.
  await queue.setGlobalConcurrency(1)
  const known = await queue.getJobSchedulers(0, -1)
  const wanted = new Map(projects.flatMap(({ name, resync }) => (resync ? [[name, resync]] : [])))
  for (const { key } of known) {
    if (!wanted.has(key)) await queue.removeJobScheduler(key)
  }
  for (const [project, pattern] of wanted) {
    // Said again, it would put off a walk that is due.
    if (known.some((each) => each.key === project && each.pattern === pattern)) continue
    await queue.upsertJobScheduler(
      project,
      { pattern, tz: 'UTC' },
      { name: 'resync', data: { project }, opts: { removeOnComplete: KEPT, removeOnFail: KEPT } },
    )
  }
}
