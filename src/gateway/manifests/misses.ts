import type { ProjectConfig } from '../../config/config.ts'
import type { MissEvent } from '../../events/registry-event.ts'
import { isTag } from '../../oci/reference.ts'
import { decide } from '../../policy/decide.ts'
import { projectOfLocal } from '../../policy/matching.ts'
import { isLimited, type Limited } from '../../queue/enqueued.ts'
import type { ManifestHead } from '../../replication/ports.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { inSpan, isWithinSpan } from '../../telemetry/traces/span.ts'
import type { Rights } from '../rights/rights.ts'
import { type Accepts, type Answered, bring, type BringDeps, missing, within } from './bring.ts'
import { type HeldBack, passesAllTheSame } from './held-back.ts'
import type { MissAnswer, Why } from './miss-answer.ts'
import { forUpstreamOfHost, type UpstreamUrls } from './upstream-of-host.ts'

/** As the source of misses that clients of the gateway make. */
export const GATEWAY_SOURCE = 'gateway'

/** A client's GET or HEAD of a manifest that the local registry does not have. */
export interface Miss {
  readonly event: MissEvent
  readonly method: 'GET' | 'HEAD'
  /** Whoever is told that there is something may be about to push, and will rely on its being here. */
  readonly mustBeHere: boolean
  readonly accepts: Accepts
  /** When the client began to wait, on the clock of `performance.now()`. */
  readonly since: number
  /** Whose misses it is counted with, where that is known. */
  readonly client?: string
  /** The upstream's host, as containerd tells a mirror with `?ns=`. */
  readonly host?: string
}

export interface MissesConfig {
  readonly projects: readonly ProjectConfig[]
  readonly upstreams: UpstreamUrls
  /** The account that pullsync itself uses at the local registry. */
  readonly account?: string | undefined
}

export interface MissesDeps extends BringDeps {
  /** Asked anew for every miss, so that a reload takes effect at once. */
  readonly config: () => MissesConfig
  /** What the first upstream that has it says of the manifest, without copying anything. */
  readonly look: (request: ReplicationRequest, signal: AbortSignal) => Promise<Looked>
  /** Under which tag clients were told of a digest a moment ago. */
  readonly names: TagNames
  readonly rights: Pick<Rights, 'givesAhead'>
  readonly heldBack: HeldBack
  /** The same for what is known to be no noise, or has its turn all the same. */
  readonly unlimited: Pick<MissesDeps, 'offer' | 'look'>
}

/** Undefined: no upstream has it. */
export type Looked = ManifestHead | Limited | Unknown | undefined

/** Upstream could not be asked. */
export interface Unknown {
  readonly why: Why
}

/** Remembers for some minutes, over all processes. Never rejects. */
export interface TagNames {
  remember(request: ReplicationRequest, head: ManifestHead): Promise<void>
  /** The same request by its tag, when a client was told of the digest by a tag. */
  byTag(request: ReplicationRequest): Promise<ReplicationRequest>
}

/** Finds an answer to a miss within the project's bounds. Rejects only when `signal` is aborted. */
export async function answerMiss(
  miss: Miss,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<MissAnswer> {
  const attributes = {
    'pullsync.repository': miss.event.repository,
    'http.request.method': miss.method,
    'pullsync.reference': miss.event.reference,
  }
  // A client's own trace is not gone on with: anybody can send one. An instrumented server may do so.
  return await inSpan(
    'miss',
    { kind: isWithinSpan() ? 'internal' : 'server', attributes },
    async (note) => {
      const answer = await answerOf(miss, deps, signal)
      const why = answer.kind === 'missing' ? answer.why : undefined
      note({
        'pullsync.answer': answer.kind,
        'pullsync.reason': why?.reason,
        'pullsync.job.id': why?.jobId,
      })
      return answer
    },
  )
}

async function answerOf(miss: Miss, deps: MissesDeps, signal: AbortSignal): Promise<MissAnswer> {
  const { since } = miss
  const wanted = wantedBy(miss, deps)
  if (typeof wanted === 'string') {
    deps.report.missIgnored(miss.event, wanted)
    return missing({ reason: wanted })
  }
  // With a slow Redis each step may take its time; the registry's own answer comes in time all the same.
  const left = Math.max(since + wanted.project.holdForMs - performance.now(), 0)
  const answer = await within(Math.ceil(left), signal, (until) =>
    answerUnlessNoise(miss, wanted, deps, until),
  )
  if (answer.kind === 'limited') {
    deps.report.missIgnored(miss.event, answer.limited)
    return missing({ reason: answer.limited })
  }
  deps.report.missAnswered(miss.event, {
    mode: wanted.project.onMiss,
    answer: answer.kind,
    ...(answer.kind === 'missing' && answer.why && { reason: answer.why.reason }),
    durationMs: performance.now() - since,
  })
  return answer
}

async function answerUnlessNoise(
  miss: Miss,
  wanted: Wanted,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<Answered> {
  const answer = await answerWanted(miss, wanted, deps, signal)
  if (answer.kind !== 'limited') return answer
  const passes = await passesAllTheSame(wanted.request, answer.limited, deps.heldBack, signal)
  return passes ? await answerWanted(miss, wanted, { ...deps, ...deps.unlimited }, signal) : answer
}

async function answerWanted(
  miss: Miss,
  { request, project }: Wanted,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<Answered> {
  const allowed = await allowedBy(deps.rights, project, request)
  const waiting = { shownAs: request.reference, accepts: miss.accepts, waits: true }
  if (allowed.onMiss !== 'async' && miss.method === 'HEAD' && allowed.givesAhead) {
    const looked = await lookUpstream(request, deps, signal)
    if (looked.kind !== 'upstream') return looked
    if (!miss.mustBeHere && miss.accepts(looked.head.mediaType)) return looked
    const whole = { ...allowed, onMiss: 'hold' } as const
    return await bring({ ...waiting, request, project: whole }, deps, signal)
  }
  const named = isTag(request.reference) ? request : await deps.names.byTag(request)
  // A digest that upstream was just seen to have is no noise.
  const limited = named === request ? deps : { ...deps, ...deps.unlimited }
  return await bring({ ...waiting, request: named, project: allowed }, limited, signal)
}

type Allowed = Pick<ProjectConfig, 'onMiss' | 'holdForMs'> & { readonly givesAhead: boolean }

/** How the project answers a miss: never before the local registry, where that has policies of its own. */
export async function allowedBy(
  rights: MissesDeps['rights'],
  { onMiss, holdForMs }: ProjectConfig,
  { repository }: Pick<ReplicationRequest, 'repository'>,
): Promise<Allowed> {
  const givesAhead = await rights.givesAhead(repository)
  const bounded = onMiss === 'stream' && !givesAhead ? 'hold' : onMiss
  return { onMiss: bounded, holdForMs, givesAhead }
}

interface Wanted {
  readonly request: ReplicationRequest
  readonly project: ProjectConfig
}

/** Or why it is not. */
function wantedBy({ event, client, host }: Miss, { config }: MissesDeps): Wanted | Why['reason'] {
  const { projects, upstreams, account } = config()
  const origin = { registry: 'local', account, source: GATEWAY_SOURCE }
  const decision = decide(event, origin, projects)
  if (decision.kind === 'ignore') return decision.reason
  const request = forUpstreamOfHost(decision.request, upstreams, host)
  const project = projectOfLocal(event.repository, projects)
  if (request === undefined || project === undefined) return 'other-upstream'
  return { request: { ...request, ...(client !== undefined && { client }) }, project }
}

// Whoever is about to push asks by HEAD first, too: a copy begun then could overwrite the push.
async function lookUpstream(
  request: ReplicationRequest,
  deps: MissesDeps,
  signal: AbortSignal,
): Promise<Answered> {
  const looked = await deps.look(request, signal)
  if (looked === undefined) return missing({ reason: 'not-found' })
  if (isLimited(looked)) return { kind: 'limited', ...looked }
  if ('why' in looked) return missing(looked.why)
  await deps.names.remember(request, looked)
  return { kind: 'upstream', head: looked }
}
