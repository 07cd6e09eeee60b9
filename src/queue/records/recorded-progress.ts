import { z } from 'zod'
import type { Progress } from '../../replication/progress.ts'
import { digest } from '../payload.ts'

const count = z.number().nonnegative()

const progress = z.object({
  bytes: count,
  totalBytes: count,
  blobs: count,
  totalBlobs: count,
  // A version that told of the whole alone wrote the jobs that are still kept, or runs beside this one.
  underWay: z.array(z.object({ digest, bytes: count, size: count })).catch([]),
})

/** What a worker, perhaps of another version, wrote of a copy; undefined before it has begun. */
export function parseProgress(data: unknown): Progress | undefined {
  return progress.safeParse(data).data
}
