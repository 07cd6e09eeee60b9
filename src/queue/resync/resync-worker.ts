import { Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { inTime } from '../../waiting/in-time.ts'
import { LOCK_MS, MAX_STALLS, STALLED_CHECK_MS } from '../lost-workers/locks.ts'
import { giveBack, postpone } from '../work/give-back.ts'
import { keyPrefix } from '../../pool/cluster/cluster-redis.ts'
import { RESYNC_QUEUE } from './resync-schedule.ts'

const CLOSE_WITHIN_MS = 500

/** One that waits for an upstream that nobody asks is begun again after so long. */
const PUT_OFF_MS = 60_000

/** Thrown by a walk that can do nothing now, so that it keeps no other one waiting. */
export class WalkPutOffError extends Error {
  override readonly name = 'WalkPutOffError'

  constructor(upstream: string) {
    super(`as many looks wait for upstream "${upstream}" as may, and nobody asks it now`)
  }
}

const payload = z.object({ project: z.string(), since: z.number().optional() })

/** What a project's upstreams may have told of in vain. */
export interface Missed {
  readonly project: string
  /** Milliseconds since 1970. */
  readonly since: number
}

export interface ResyncWorkerOptions {
  readonly connection: Redis
  /** Walks one project. Its failure is its own affair: it must not reject but for the signal, or to be put off. */
  readonly walk: (project: string, walkId: string, signal: AbortSignal) => Promise<void>
  /** Looks at what was pushed since then. It is tried again when it rejects. */
  readonly catchUp: (missed: Missed, jobId: string, signal: AbortSignal) => Promise<void>
  readonly onError: (error: Error) => void
}

/** Makes the walks that have come due, one after the other. */
export class ResyncWorker implements AsyncDisposable {
  readonly #worker: Worker<unknown, unknown>
  readonly #stop = new AbortController()

  constructor({ connection, walk, catchUp, onError }: ResyncWorkerOptions) {
    this.#worker = new Worker<unknown, unknown>(
      RESYNC_QUEUE,
      async (job, token = '') => {
        const { signal } = this.#stop
        const { project, since } = payload.parse(job.data)
        const id = job.id ?? ''
        try {
          if (since === undefined) await walk(project, id, signal)
          else await catchUp({ project, since }, id, signal)
        } catch (error) {
          if (this.#stop.signal.aborted) return await giveBack(job, token)
          if (error instanceof WalkPutOffError) return await postpone(job, token, PUT_OFF_MS)
          throw error
        }
      },
      {
        connection,
        prefix: keyPrefix(connection),
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
    const closing = this.#worker.close().then(() => true)
    // Without Redis it would wait for it; by then it has nothing to end but its own connection.
    if ((await inTime(closing, CLOSE_WITHIN_MS)) === undefined) {
      this.#worker.disconnect().catch(() => undefined)
    }
  }
}
