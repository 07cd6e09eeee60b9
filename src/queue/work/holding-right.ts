import type { Redis } from 'ioredis'
import type { ReplicationRequest } from '../../replication/request.ts'
import { unlessAborted } from '../../waiting/aborting.ts'
import type { ReplicationJob, ReplicationQueue } from '../replication-queue.ts'
import type { JobListener } from './job.ts'
import { TagRight } from './tag-right.ts'

export interface Holder {
  readonly job: ReplicationJob
  /** Of the lock on the job. */
  readonly token: string
  /** Aborted when that lock is lost. */
  readonly lost: AbortSignal
}

export interface RightOptions {
  readonly connection: Redis
  readonly queue: ReplicationQueue
  /** Of the lock on a job, and so of the right that it holds. */
  readonly lockMs: number
  /** Queues another look at an image whose tag may have been set back; waits for Redis. */
  readonly lookAgain: (request: ReplicationRequest) => Promise<void>
  readonly listener: Pick<JobListener, 'connectionError'>
}

/** Runs something with the right to write the request's tag; undefined where another job has the right. */
export async function holdingRight<T>(
  { job, token, lost }: Holder,
  request: ReplicationRequest,
  options: RightOptions,
  run: (right: TagRight) => Promise<T>,
): Promise<T | undefined> {
  const { connection: redis, queue, lockMs } = options
  const right = await unlessAborted(
    TagRight.take(request, { redis, queue, job, token, lockMs }),
    lost,
  )
  if (right === undefined) return undefined
  try {
    return await run(right)
  } finally {
    const released = release(right, request, options)
    // What is lost is lost because Redis is away: nobody waits for it to be back.
    if (!lost.aborted) await released
  }
}

/** Never rejects. */
async function release(
  right: TagRight,
  request: ReplicationRequest,
  { lookAgain, listener }: RightOptions,
): Promise<void> {
  try {
    const { mayBeOld } = await right.release()
    if (mayBeOld) await lookAgain(request)
  } catch (error) {
    listener.connectionError(new Error('cannot give the tag free', { cause: error }))
  }
}
