import type { ProjectConfig } from '../../config/config.ts'
import type { Manifest } from '../../oci/manifest.ts'
import type { Reference } from '../../oci/reference.ts'
import { isLimited, type Limited, type Offered } from '../../queue/enqueued.ts'
import type { JobEnding } from '../../queue/job-endings.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import type { GatewayReporter } from '../../telemetry/reports/report-gateway.ts'
import { tracedRequest } from '../../telemetry/traces/traced-request.ts'
import { unlessAborted } from '../../waiting/aborting.ts'
import { untilAborted } from '../../waiting/until-aborted.ts'
import type { InFlightView } from '../blobs/in-flight-view.ts'
import { type MissAnswer, QUEUE_UNAVAILABLE, whyEnded, type Why } from './miss-answer.ts'
import { messageOf } from '../../thrown.ts'

export interface BringDeps {
  readonly offer: (request: ReplicationRequest) => Promise<Offered>
  /** How the job has ended, as soon as it has, or as nothing is to be hoped for from it soon. */
  readonly ended: (jobId: string, signal: AbortSignal) => Promise<JobEnding>
  /** What is being copied right now. */
  readonly inFlight: InFlightView
  readonly report: GatewayReporter
}

/** Whether the client names that media type. What it does not name is the local registry's to give, or not. */
export type Accepts = (mediaType: string) => boolean

export type Answered =
  MissAnswer | { readonly kind: 'limited'; readonly limited: Limited['limited'] }

export interface Bringing {
  readonly request: ReplicationRequest
  readonly project: Pick<ProjectConfig, 'onMiss' | 'holdForMs'>
  /** By what the client is to get the manifest as soon as the worker has it. */
  readonly shownAs: Reference
  readonly accepts: Accepts
  /** Whether the client waits for it at all. */
  readonly waits: boolean
}

/** Makes it a job, and waits for it as the project says. */
export async function bring(
  { request, project, shownAs, accepts, waits }: Bringing,
  deps: BringDeps,
  signal: AbortSignal,
): Promise<Answered> {
  const followed = project.onMiss === 'stream'
  const offered = await offer(followed ? { ...request, followed } : request, deps)
  if (offered === undefined) return missing(QUEUE_UNAVAILABLE)
  if (isLimited(offered)) return { kind: 'limited', ...offered }
  const { jobId } = offered
  if (project.onMiss === 'async' || !waits) return missing({ reason: 'in-background', jobId })
  const answer = (until: AbortSignal) =>
    followed
      ? firstOf(jobId, { repository: request.repository, shownAs, accepts }, deps, until)
      : held(jobId, deps, until)
  return await within(project.holdForMs, signal, answer, jobId)
}

async function offer(request: ReplicationRequest, deps: BringDeps): Promise<Offered | undefined> {
  const { report } = deps
  try {
    const offered = await deps.offer(tracedRequest(request))
    if (!isLimited(offered)) report.jobEnqueued(request, offered)
    return offered
  } catch (error) {
    const reason = messageOf(error)
    report.queueUnavailable({ requests: 1, reason })
    return undefined
  }
}

async function held(jobId: string, { ended }: BringDeps, signal: AbortSignal): Promise<MissAnswer> {
  const ending = await ended(jobId, signal)
  const isHere = ending.kind === 'copied' || ending.kind === 'up-to-date'
  return isHere ? { kind: 'here' } : missing(whyEnded(ending, jobId))
}

type Shown = Pick<Bringing, 'shownAs' | 'accepts'> & Pick<ReplicationRequest, 'repository'>

/** The manifest as soon as the worker has it, or the end of the job, whichever comes first. */
async function firstOf(
  jobId: string,
  asked: Shown,
  deps: BringDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const enough = new AbortController()
  const until = AbortSignal.any([signal, enough.signal])
  const shown = shownManifest(asked, deps, until)
  const ended = held(jobId, deps, until)
  try {
    return await Promise.race([
      shown.then((manifest): MissAnswer => ({ kind: 'on-the-way', manifest })),
      ended,
    ])
  } finally {
    enough.abort()
    await Promise.allSettled([shown, ended])
  }
}

async function shownManifest(
  { repository, shownAs, accepts }: Shown,
  { inFlight }: BringDeps,
  signal: AbortSignal,
): Promise<Manifest> {
  const manifest = await inFlight.waitForManifest(repository, shownAs, signal)
  // What this client gets is the local registry's to say, once the job has ended.
  if (!accepts(manifest.mediaType)) await untilAborted(signal)
  signal.throwIfAborted()
  // The job may have begun for another reason: from now on what it brings is for clients.
  void inFlight.ask(repository, manifest.digest)
  return manifest
}

/** Nothing when it takes longer; what runs is told to stop. */
export async function within(
  limitMs: number,
  signal: AbortSignal,
  answer: (until: AbortSignal) => Promise<Answered>,
  jobId?: string,
): Promise<Answered> {
  const enough = AbortSignal.timeout(limitMs)
  const until = AbortSignal.any([signal, enough])
  try {
    return await unlessAborted(answer(until), until)
  } catch (error) {
    signal.throwIfAborted()
    if (enough.aborted) return missing({ reason: 'not-yet', ...(jobId !== undefined && { jobId }) })
    throw error
  }
}

export function missing(why: Why): MissAnswer {
  return { kind: 'missing', why }
}
