import { formatImageName } from '../../oci/reference.ts'
import type { JobRecord } from '../../queue/records/job-records.ts'
import { formatDuration } from '../../text/duration.ts'
import { formatBytes } from '../../text/format-bytes.ts'
import { plainText } from '../../text/plain-text.ts'
import { type FailureGroup, failureGroups } from './failure-groups.ts'
import { type Html, html } from './html.ts'
import type { Snapshot, UpstreamNow } from './snapshot.ts'
import { upstreamWords } from '../../explain/upstream-words.ts'
import { wantedImages } from './wanted-images.ts'

const EMPTY = (text: string) => html`<p class="empty">${text}</p>`

/** Each upstream: how it is, why, and what its queue holds. */
export function upstreamsSection({ upstreams, at }: Snapshot): Html {
  return table(
    'Upstreams',
    ['Upstream', 'State', 'Queue', 'Last 10 min', 'Last success'],
    [...upstreams.map((now) => upstreamRow(now, at))],
  )
}

function upstreamRow(now: UpstreamNow, at: number): Html {
  const { upstream, counts, waitingBy, recent, health, workers, allowance } = now
  const { state, why } = upstreamWords(now)
  const pulls = allowance && html`<br />${allowance.remaining} of ${allowance.limit} pulls left`
  return html`<tr class="${state.replace(' ', '-')}">
    <th scope="row">${upstream}</th>
    <td>
      <strong>${state}</strong>${why === '' ? undefined : html`<br />${plainText(why)}`}${pulls}
    </td>
    <td>
      ${counts.active} active, ${counts.waiting} waiting${classes(waitingBy)}, ${counts.delayed} put
      off, ${counts.failed} failed; ${workers} ${workers === 1 ? 'worker' : 'workers'}
    </td>
    <td>${recent.completed} done, ${recent.failed} failed</td>
    <td>
      ${health.lastSuccessAt === undefined ? 'none yet' : `${formatDuration(at - health.lastSuccessAt)} ago`}
    </td>
  </tr>`
}

/** In the order in which they run. */
function classes(waitingBy: UpstreamNow['waitingBy']): string {
  const parts = Object.entries(waitingBy).map(([trigger, count]) => `${count} ${trigger}`)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

/** What is coming now, and what is next. */
export function comingSection({ coming, at }: Snapshot): Html {
  if (coming.length === 0) return EMPTY('Nothing is coming, and nothing waits.')
  return table(
    'Jobs that run or wait',
    ['Image', 'Upstream', 'Asked for by', 'How far'],
    [
      ...coming.map(
        (job) =>
          html`<tr>
            <th scope="row">${storyLink(job)}</th>
            <td>${job.upstream}</td>
            <td>${askedBy(job)}</td>
            <td>${howFar(job, at)}</td>
          </tr>`,
      ),
    ],
  )
}

/** Failed jobs by their cause, with a way to run each group again. */
export function failuresSection({ failed, upstreams }: Snapshot): Html {
  if (failed.length === 0) return EMPTY('No job has failed for good.')
  const groups = failureGroups(failed).slice(0, GROUPS)
  const shown = groups.reduce((sum, { jobs }) => sum + jobs.length, 0)
  const all = upstreams.reduce((sum, { counts }) => sum + counts.failed, 0)
  const rest =
    all > shown
      ? EMPTY(
          `These are ${shown} of ${all} failed jobs. To run all of them again: pullsync jobs retry --all`,
        )
      : ''
  return html`${failuresTable(groups)}${rest}`
}

/** So many causes at most. */
const GROUPS = 20

function failuresTable(groups: readonly FailureGroup[]): Html {
  return table(
    'Failed jobs by cause',
    ['Jobs', 'Upstream', 'Cause', 'Again'],
    [
      ...groups.map(
        ({ upstream, example, jobs }) =>
          html`<tr>
            <th scope="row">${jobs.length}</th>
            <td>${upstream}</td>
            <td>${plainText(example)}<br /><small>${imagesOf(jobs)}</small></td>
            <td>
              <form method="post" action="retry">
                <input type="hidden" name="jobs" value="${jobs.map(({ id }) => id).join(' ')}" />
                <button>Retry ${jobs.length === 1 ? 'it' : `all ${jobs.length}`}</button>
              </form>
            </td>
          </tr>`,
      ),
    ],
  )
}

/** What clients asked for and nobody has. */
export function wantedSection({ wanting }: Snapshot): Html {
  const images = wantedImages(wanting)
  if (images.length === 0) return EMPTY('Nobody asked for what there is not.')
  return table(
    'Images asked for in vain',
    ['Image', 'Times', 'Why it is not here'],
    [
      ...images.map(
        ({ image, times, why }) =>
          html`<tr>
            <th scope="row"><a href="image?name=${encodeURIComponent(image)}">${image}</a></th>
            <td>${times}</td>
            <td>${plainText(why)}</td>
          </tr>`,
      ),
    ],
  )
}

export function table(caption: string, heads: readonly string[], rows: readonly Html[]): Html {
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}

export function imageOf({ request }: JobRecord): string {
  if (request === undefined) return 'not readable'
  return formatImageName(request.repository, request.reference)
}

function storyLink(job: JobRecord): Html {
  const image = imageOf(job)
  return html`<a href="image?name=${encodeURIComponent(image)}">${image}</a>`
}

function imagesOf(jobs: readonly JobRecord[]): string {
  const names = [...new Set(jobs.map(imageOf))]
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return names.slice(0, 5).join(', ') + more
}

function askedBy({ request }: JobRecord): string {
  if (request === undefined) return ''
  const { trigger, source } = request
  return source === undefined ? trigger : `${trigger}, ${source}`
}

function howFar({ state, progress, startedAt, dueAt }: JobRecord, at: number): string {
  if (state === 'waiting') return 'waits for a place'
  if (state === 'delayed') {
    return dueAt === undefined ? 'put off' : `tried again in ${formatDuration(dueAt - at)}`
  }
  if (progress === undefined || progress.totalBytes === 0) return 'looks at what there is'
  const { bytes, totalBytes } = progress
  const perMs = bytes / Math.max(1, at - (startedAt ?? at))
  const left = perMs > 0 ? `, ${formatDuration((totalBytes - bytes) / perMs)} left` : ''
  const rate = `${formatBytes(Math.round(perMs * 1_000))}/s`
  return `${formatBytes(bytes)} of ${formatBytes(totalBytes)}, ${rate}${left}`
}
