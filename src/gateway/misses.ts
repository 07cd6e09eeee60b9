import type { ProjectConfig } from '../config/config.ts'
import type { MissEvent } from '../events/registry-event.ts'
import { isTag, type Reference } from '../oci/reference.ts'
import { decide } from '../policy/decide.ts'
import { projectOfLocal } from '../policy/matching.ts'
import type { Manifest } from '../oci/manifest.ts'
import { isLimited, type Limited, type Offered } from '../queue/enqueued.ts'
import type { ManifestHead } from '../replication/ports.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import type { GatewayReporter } from '../telemetry/report-gateway.ts'
import type { OnTheWayView } from './on-the-way-view.ts'
import { asMeant, type UpstreamUrls } from './upstream-of-host.ts'

/** As the source of misses that clients of the gateway make. */
export const GATEWAY_SOURCE = 'gateway'

/** A client's GET or HEAD of a manifest that the local registry does not have. */
export interface Miss {
  readonly event: MissEvent
  readonly method: 'GET' | 'HEAD'
  /** The upstream's host, as containerd tells a mirror with `?ns=`. */
  readonly host?: string
}

export interface MissesConfig {
  readonly projects: readonly ProjectConfig[]
  readonly upstreams: UpstreamUrls
  /** The account that pullsync itself uses at the local registry. */
  readonly account?: string | undefined
}

export interface MissesDeps {
  /** Asked anew for every miss, so that a reload takes effect at once. */
  readonly config: () => MissesConfig
  readonly offer: (request: ReplicationRequest) => Promise<Offered>
  /** Whether the local registry has what the job was for, once the job has ended. */
  readonly landed: (jobId: string, signal: AbortSignal) => Promise<boolean>
  /** What the first upstream that has it says of the manifest, without copying anything. */
  readonly look: (request: ReplicationRequest, signal: AbortSignal) => Promise<Looked>
  /** What is being copied right now. */
  readonly onTheWay: OnTheWayView
  /** Under which tag clients were told of a digest a moment ago. */
  readonly names: TagNames
  readonly report: GatewayReporter
}

/** Undefined: no upstream has it, or says so now. */
export type Looked = ManifestHead | Limited | undefined

/** Remembers for some minutes, over all processes. Never rejects. */
export interface TagNames {
  remember(request: ReplicationRequest, head: ManifestHead): Promise<void>
  /** The same request by its tag, when a client was told of the digest by a tag. */
  byTag(request: ReplicationRequest): Promise<ReplicationRequest>
}

/** What a client whose pull missed is answered. */
export type MissAnswer =
  /** It is in the local registry now. */
  | { readonly kind: 'here' }
  /** It is on its way, and its bytes are here already. */
  | { readonly kind: 'on-the-way'; readonly manifest: Manifest }
  /** Upstream has it; nothing has been copied. */
  | { readonly kind: 'upstream'; readonly head: ManifestHead }
  /** The registry's own answer stands. */
  | { readonly kind: 'missing' }

const MISSING: MissAnswer = { kind: 'missing' }

type Answered = MissAnswer | { readonly kind: 'limited'; readonly limited: Limited['limited'] }

/** Finds an answer to a miss within the project's bounds. Rejects only when `signal` is aborted. */
export async function answerMiss(
  miss: Miss,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const since = performance.now()
  const wanted = wantedBy(miss, deps)
  if (wanted === undefined) return MISSING
  const answer = await answerWanted(miss, wanted, deps, signal)
  if (answer.kind === 'limited') {
    deps.report.missIgnored(miss.event, answer.limited)
    return MISSING
  }
  deps.report.missAnswered(miss.event, {
    mode: wanted.project.onMiss,
    answer: answer.kind,
    durationMs: performance.now() - since,
  })
  return answer
}

async function answerWanted(
  miss: Miss,
  { request, project }: Wanted,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<Answered> {
  if (project.onMiss !== 'async' && miss.method === 'HEAD') {
    return await lookUpstream(request, deps, signal)
  }
  const named = isTag(request.reference) ? request : await deps.names.byTag(request)
  const shownAs = request.reference
  return await bring({ request: named, project, shownAs, waits: true }, deps, signal)
}

export interface Bringing {
  readonly request: ReplicationRequest
  readonly project: ProjectConfig
  /** By what the client is to get the manifest as soon as the worker has it. */
  readonly shownAs: Reference
  /** Whether the client waits for it at all. */
  readonly waits: boolean
}

/** Makes it a job, and waits for it as the project says. */
export async function bring(
  { request, project, shownAs, waits }: Bringing,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<Answered> {
  const followed = project.onMiss === 'stream'
  const { repository } = request
  const offered = await offer(followed ? { ...request, followed } : request, deps)
  if (offered === undefined) return MISSING
  if (isLimited(offered)) return { kind: 'limited', ...offered }
  if (project.onMiss === 'async' || !waits) return MISSING
  const { jobId } = offered
  return await within(project.holdForMs, signal, (until) =>
    followed
      ? firstOf(jobId, { repository, reference: shownAs }, deps, until)
      : held(jobId, deps, until),
  )
}

interface Wanted {
  readonly request: ReplicationRequest
  readonly project: ProjectConfig
}

function wantedBy({ event, host }: Miss, { config, report }: MissesDeps): Wanted | undefined {
  const { projects, upstreams, account } = config()
  const origin = { registry: 'local', account, source: GATEWAY_SOURCE }
  const decision = decide(event, origin, projects)
  if (decision.kind === 'ignore') {
    report.missIgnored(event, decision.reason)
    return undefined
  }
  const request = asMeant(decision.request, upstreams, host)
  const project = projectOfLocal(event.repository, projects)
  if (request === undefined || project === undefined) {
    report.missIgnored(event, 'other-upstream')
    return undefined
  }
  return { request, project }
}

// Whoever is about to push asks by HEAD first, too: a copy begun then could overwrite the push.
async function lookUpstream(
  request: ReplicationRequest,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<Answered> {
  const looked = await deps.look(request, signal)
  if (looked === undefined) return MISSING
  if (isLimited(looked)) return { kind: 'limited', ...looked }
  await deps.names.remember(request, looked)
  return { kind: 'upstream', head: looked }
}

async function offer(request: ReplicationRequest, deps: MissesDeps): Promise<Offered | undefined> {
  const { report } = deps
  try {
    const offered = await deps.offer(request)
    if (!isLimited(offered)) report.jobEnqueued(request, offered)
    return offered
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    report.queueUnavailable({ requests: 1, reason })
    return undefined
  }
}

async function held(
  jobId: string,
  { landed }: MissesDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  return (await landed(jobId, signal)) ? { kind: 'here' } : MISSING
}

/** The manifest as soon as the worker has it, or the end of the job, whichever comes first. */
async function firstOf(
  jobId: string,
  { repository, reference }: Pick<ReplicationRequest, 'repository' | 'reference'>,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const enough = new AbortController()
  const until = AbortSignal.any([signal, enough.signal])
  const shown = deps.onTheWay.waitForManifest(repository, reference, until)
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

/** MISSING when it takes longer; what runs is told to stop. */
async function within(
  limitMs: number,
  signal: AbortSignal,
  answer: (until: AbortSignal) => Promise<MissAnswer>,
): Promise<MissAnswer> {
  const enough = AbortSignal.timeout(limitMs)
  try {
    return await answer(AbortSignal.any([signal, enough]))
  } catch (error) {
    signal.throwIfAborted()
    if (enough.aborted) return MISSING
    throw error
  }
}
