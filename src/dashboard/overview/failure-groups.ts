import { formatImageName } from '../../oci/reference.ts'
import type { JobRecord } from '../../queue/records/job-records.ts'

/** Jobs of one upstream that failed for one cause. */
export interface FailureGroup {
  readonly upstream: string
  /** With what differs between the jobs left out. */
  readonly cause: string
  /** One whole reason, as the newest job has it. */
  readonly example: string
  readonly jobs: readonly JobRecord[]
}

/** The largest group first. */
export function failureGroups(failed: readonly JobRecord[]): readonly FailureGroup[] {
  const groups = new Map<string, JobRecord[]>()
  for (const job of failed) {
    const key = JSON.stringify([job.upstream, causeOf(job)])
    groups.set(key, [...(groups.get(key) ?? []), job])
  }
  return [...groups.entries()]
    .map(([key, jobs]) => {
      const [upstream, cause] = JSON.parse(key) as readonly [string, string]
      return { upstream, cause, example: jobs[0]?.failedReason ?? '', jobs }
    })
    .sort((a, b) => b.jobs.length - a.jobs.length)
}

/** The reason without names, digests and numbers, so that the same cause is the same text. */
export function causeOf({ failedReason = '', request }: JobRecord): string {
  const line = failedReason.split('\n', 1)[0] ?? ''
  const names =
    request === undefined
      ? []
      : [
          formatImageName(request.repository, request.reference),
          formatImageName(request.upstreamRepository, request.reference),
          request.repository,
          request.upstreamRepository,
        ]
  return names
    .reduce((text, name) => text.replaceAll(name, '…'), line)
    .replace(/sha(256|512):[0-9a-f]+/g, '…')
    .replace(/https?:\/\/[^\s]+/g, (url) => `${URL.canParse(url) ? new URL(url).origin : url}/…`)
    .replace(/\b\d+(\.\d+)? (ms|s|bytes|B|KiB|MiB|GiB)\b/g, '… $2')
}
