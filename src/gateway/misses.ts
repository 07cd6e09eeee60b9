import type { ProjectConfig } from '../config/config.ts'
import type { MissEvent } from '../events/registry-event.ts'
import { isTag } from '../oci/reference.ts'
import { decide } from '../policy/decide.ts'
import { projectOfLocal } from '../policy/matching.ts'
import type { Enqueued } from '../queue/enqueued.ts'
import type { ManifestHead } from '../replication/ports.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import type { GatewayReporter } from '../telemetry/report-gateway.ts'
import { upstreamsOfHost, type UpstreamUrls } from './upstream-of-host.ts'

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
  readonly enqueue: (request: ReplicationRequest) => Promise<Enqueued>
  /** Whether the local registry has what the job was for, once the job has ended. */
  readonly landed: (jobId: string, signal: AbortSignal) => Promise<boolean>
  /** What the first upstream that has it says of the manifest, without copying anything. */
  readonly look: (
    request: ReplicationRequest,
    signal: AbortSignal,
  ) => Promise<ManifestHead | undefined>
  /** Under which tag clients were told of a digest a moment ago. */
  readonly names: TagNames
  readonly report: GatewayReporter
}

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
  /** Upstream has it; nothing has been copied. */
  | { readonly kind: 'upstream'; readonly head: ManifestHead }
  /** The registry's own answer stands. */
  | { readonly kind: 'missing' }

const MISSING: MissAnswer = { kind: 'missing' }

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
): Promise<MissAnswer> {
  if (project.onMiss !== 'async' && miss.method === 'HEAD') {
    return await lookUpstream(request, deps, signal)
  }
  const named = isTag(request.reference) ? request : await deps.names.byTag(request)
  const jobId = await enqueued(named, deps)
  if (jobId === undefined || project.onMiss === 'async') return MISSING
  return await held(jobId, project.holdForMs, deps, signal)
}

interface Wanted {
  readonly request: ReplicationRequest
  readonly project: ProjectConfig
}

function wantedBy({ event, host }: Miss, { config, report }: MissesDeps): Wanted | undefined {
  const { projects, upstreams, account } = config()
  const decision = decide(event, { registry: 'local', account }, projects)
  if (decision.kind === 'ignore') {
    report.missIgnored(event, decision.reason)
    return undefined
  }
  const { request } = decision
  const [first, ...rest] = upstreamsOfHost(request.upstreams, upstreams, host)
  const name = projectOfLocal(event.repository, projects)?.name
  const project = projects.find((each) => each.name === name)
  if (first === undefined || project === undefined) {
    report.missIgnored(event, 'other-upstream')
    return undefined
  }
  return { request: { ...request, upstreams: [first, ...rest] }, project }
}

// Whoever is about to push asks by HEAD first, too: a copy begun then could overwrite the push.
async function lookUpstream(
  request: ReplicationRequest,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const head = await deps.look(request, signal)
  if (head === undefined) return MISSING
  await deps.names.remember(request, head)
  return { kind: 'upstream', head }
}

async function enqueued(
  request: ReplicationRequest,
  { enqueue, report }: MissesDeps,
): Promise<string | undefined> {
  try {
    const job = await enqueue(request)
    report.jobEnqueued(request, job)
    return job.jobId
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    report.queueUnavailable({ requests: 1, reason })
    return undefined
  }
}

async function held(
  jobId: string,
  holdForMs: number,
  { landed }: MissesDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const enough = AbortSignal.timeout(holdForMs)
  try {
    const here = await landed(jobId, AbortSignal.any([signal, enough]))
    return here ? { kind: 'here' } : MISSING
  } catch (error) {
    signal.throwIfAborted()
    if (enough.aborted) return MISSING
    throw error
  }
}
