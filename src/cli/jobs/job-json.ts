import type { JobRecord } from '../../queue/records/job-records.ts'
import { imageOf } from './job-text.ts'

/** A job as scripts get it: the record with the image's full name, times as ISO 8601 in UTC. */
export function jobJson(record: JobRecord): Readonly<Record<string, unknown>> {
  const { id, addedAt, startedAt, finishedAt, dueAt, ...rest } = record
  return {
    id,
    image: imageOf(record),
    trigger: record.request?.trigger,
    ...rest,
    addedAt: iso(addedAt),
    startedAt: iso(startedAt),
    finishedAt: iso(finishedAt),
    dueAt: iso(dueAt),
  }
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}
