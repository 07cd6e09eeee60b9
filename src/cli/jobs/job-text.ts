import { formatImageName } from '../../oci/reference.ts'
import type { JobRecord } from '../../queue/records/job-records.ts'
import type { Outcome } from '../../replication/outcome.ts'
import type { Progress } from '../../replication/progress.ts'
import { formatDuration } from '../../text/duration.ts'
import { formatBytes } from '../../text/format-bytes.ts'

/** `team/app:1.0`; of a job that another version queued, as much as can be said. */
export function imageOf({ request }: JobRecord): string {
  if (request === undefined) return '(not readable)'
  return formatImageName(request.repository, request.reference)
}

export function progressText({ bytes, totalBytes, blobs, totalBlobs }: Progress): string {
  const percent = totalBytes === 0 ? 0 : Math.floor((bytes / totalBytes) * 100)
  return `${percent}%, ${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${blobs} of ${totalBlobs} blobs`
}

/** How a job ended, on one line. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.kind) {
    case 'copied':
      return `copied ${formatBytes(outcome.bytes)} from ${outcome.upstream}`
    case 'deleted':
      return 'deleted, as upstream had'
    case 'up-to-date':
      return 'up to date'
    case 'not-found':
      return `not found on ${outcome.upstreams.join(', ')}`
    case 'refused':
      return `refused: ${outcome.reason}`
  }
}

/** Where the job stands, on one line; why it failed is told apart, at full length. */
export function standingText(record: JobRecord, now: number): string {
  const { state, outcome, progress, startedAt, dueAt } = record
  switch (state) {
    case 'completed':
      return outcome === undefined ? 'ended' : outcomeText(outcome)
    case 'active': {
      const running = formatDuration(now - (startedAt ?? now))
      return progress === undefined ? `running for ${running}` : progressText(progress)
    }
    case 'delayed':
      return dueAt === undefined ? 'later' : `again in ${formatDuration(dueAt - now)}`
    case 'waiting':
      return 'waiting'
    case 'failed':
      return 'failed'
  }
}

/** Since when it has been as it is. */
export function ageText({ finishedAt, startedAt, addedAt }: JobRecord, now: number): string {
  return formatDuration(now - (finishedAt ?? startedAt ?? addedAt))
}
