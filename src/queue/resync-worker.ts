import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { giveBack } from './give-back.ts'
import { KEY_PREFIX } from './queues.ts'
import { RESYNC_QUEUE } from './resync-schedule.ts'

const LOCK_MS = 10_000
const STALLED_CHECK_MS = 5_000
/** A walk is begun again where its worker died. */
const MAX_STALLS = 5

const payload = z.object({ project: z.string() })

export interface ResyncWorkerOptions {
  readonly connection: Redis
  /** Walks one project. Its failure is its own affair: it must not reject but for the signal. */
  readonly walk: (project: string, walkId: string, signal: AbortSignal) => Promise<void>
  readonly onError: (error: Error) => void
}

/** Makes the walks that have come due, one after the other. */
export class ResyncWorker implements AsyncDisposable {
  readonly #worker: Worker<unknown, unknown>
  readonly #stop = new AbortController()

  constructor({ connection, walk, onError }: ResyncWorkerOptions) {
    this.#worker = new Worker<unknown, unknown>(
      RESYNC_QUEUE,
      async (job, token = '') => {
        const { signal } = this.#stop
        const { project } = payload.parse(job.data)
        try {
          await walk(project, job.id ?? '', signal)
        } catch (error) {
          if (this.#stop.signal.aborted) return await giveBack(job, token)
          throw error
        }
      },
      {
        connection,
        prefix: KEY_PREFIX,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        maxStalledCount: MAX_STALLS,
        runRetryDelay: 1_000,
      },
    )
    this.#worker.on('error', onError)
  }

  /** A walk that runs is broken off: what it has queued stays queued, another worker begins it anew. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the worker is stopping'))
    await this.#worker.close()
  }
}
