import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { formatImageName } from '../oci/reference.ts'
import { parsePayload } from '../queue/payload.ts'
import type { ReplicationQueue } from '../queue/replication-queue.ts'

/** A queue as the dashboard shows it: its jobs by image and reason, their progress in percent. */
export function boardQueue(upstream: string, queue: ReplicationQueue): BullMQAdapter {
  const adapter = new BullMQAdapter(queue, { description: `replication from ${upstream}` })
  adapter.setFormatter('name', jobTitle)
  adapter.setFormatter('progress', percent)
  return adapter
}

function jobTitle(job: unknown): string {
  const data = typeof job === 'object' && job !== null && 'data' in job ? job.data : undefined
  const request = parsePayload(data)
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
