import { type JobRecord, listJobs } from '../../queue/records/job-records.ts'
import type { ReplicationQueues } from '../../queue/queues.ts'
import { formatDuration } from '../../text/duration.ts'
import { plainText } from '../../text/plain-text.ts'
import { type Html, html } from './html.ts'
import { imageOf, table } from './sections.ts'

const STATES = ['active', 'waiting', 'delayed', 'failed', 'completed'] as const
const MOST = 100

/** Every job that is still known of an image, or of all images whose name holds the text. */
export async function readStory(
  queues: ReplicationQueues,
  name: string,
): Promise<readonly JobRecord[]> {
  const matches = (job: JobRecord) => imageOf(job).includes(name)
  return await listJobs(queues, { states: STATES, matches, limit: MOST })
}

export function storySection(name: string, jobs: readonly JobRecord[], at: number): Html {
  if (jobs.length === 0) {
    return html`<p class="empty">
      No job is known of “${name}”. A pull of it makes one; “pullsync why” tells whether it would.
    </p>`
  }
  return table(
    `Jobs of ${name}`,
    ['Image', 'Job', 'Why', 'When', 'How it went'],
    [
      ...jobs.map(
        (job) =>
          html`<tr>
            <th scope="row">${imageOf(job)}</th>
            <td><a href="dashboard/queue/${job.upstream}/${job.id}">${job.id}</a></td>
            <td>${job.request?.trigger ?? ''}</td>
            <td>${formatDuration(at - (job.finishedAt ?? job.startedAt ?? job.addedAt))} ago</td>
            <td>${howItWent(job)}</td>
          </tr>`,
      ),
    ],
  )
}

function howItWent({ state, outcome, failedReason, attemptsMade }: JobRecord): string {
  if (state === 'completed' && outcome !== undefined) {
    return outcome.kind === 'refused' ? `refused: ${plainText(outcome.reason)}` : outcome.kind
  }
  if (failedReason === undefined) return state
  return plainText(`${state}, after ${attemptsMade} attempts: ${failedReason}`)
}
