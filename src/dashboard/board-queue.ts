import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { formatImageName } from '../oci/reference.ts'
import { parsePayload } from '../queue/payload.ts'
import type { ReplicationQueue } from '../queue/replication-queue.ts'
import { hasLongNames, lengthenedData } from '../queue/stored-request.ts'

/** A queue as the dashboard shows it: its jobs by image and reason, their progress in percent. */
export function boardQueue(upstream: string, queue: ReplicationQueue): BullMQAdapter {
  const adapter = new BullMQAdapter(queue, { description: `replication from ${upstream}` })
  adapter.setFormatter('name', (job: unknown) => jobTitle(job, upstream))
  adapter.setFormatter('data', shownData)
  adapter.setFormatter('progress', percent)
  return adapter
}

function shownData(data: unknown): unknown {
  return hasLongNames(data) ? data : (lengthenedData(data) ?? data)
}

function jobTitle(job: unknown, upstream: string): string {
  const isJob = typeof job === 'object' && job !== null && 'name' in job && 'data' in job
  if (!isJob) return 'not readable'
  const { name, data } = job
  const deduplicationId = 'deduplicationId' in job ? String(job.deduplicationId) : undefined
  const request = parsePayload({ name: String(name), data, deduplicationId }, upstream)
  if (!request.ok) return 'not readable'
  const { repository, reference, trigger } = request.value
  return `${formatImageName(repository, reference)} (${trigger})`
}

function percent(progress: unknown): number {
  if (typeof progress !== 'object' || progress === null) return 0
  const bytes = 'bytes' in progress ? Number(progress.bytes) : 0
  const total = 'totalBytes' in progress ? Number(progress.totalBytes) : 0
  return total > 0 ? Math.floor((bytes / total) * 100) : 0
}
