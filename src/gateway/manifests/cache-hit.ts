import type { PullEvent } from '../../events/registry-event.ts'
import type { Repository, Tag } from '../../oci/reference.ts'
import { forUpstreamOfHost, type UpstreamUrls } from './upstream-of-host.ts'
import { decide } from '../../policy/decide.ts'
import type { Project } from '../../policy/project.ts'
import type { Enqueued } from '../../queue/enqueued.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import type { GatewayReporter } from '../../telemetry/reports/report-gateway.ts'
import { messageOf } from '../../thrown.ts'

/** A client's GET or HEAD of a tag that the local registry has. */
export type CacheHit = PullEvent & {
  readonly repository: Repository
  readonly tag: Tag
  /** The upstream's host, as with a miss. */
  readonly host?: string
}

export interface CacheHitConfig {
  readonly projects: readonly Project[]
  readonly upstreams: UpstreamUrls
  /** The account that pullsync itself uses at the local registry. */
  readonly account?: string | undefined
}

export interface CacheHitDeps {
  /** Asked anew for every hit, so that a reload takes effect at once. */
  readonly config: () => CacheHitConfig
  readonly checks: TagAges
  readonly enqueue: (request: ReplicationRequest) => Promise<Enqueued>
  readonly report: GatewayReporter
}

type Named = Pick<ReplicationRequest, 'repository' | 'reference'>

/** When each tag was last looked up upstream, over all processes. */
export interface TagAges {
  /** True when that is known here and now, without asking anybody. */
  isFresh(named: Named): boolean
  due(named: Named, withinMs: number): Promise<boolean>
  /** Never rejects. */
  forget(named: Named): Promise<void>
}

/**
 * The client has its answer, from what is here. Whether the tag has moved upstream is looked up
 * afterwards, if that was not done lately: nobody waits for it. Never rejects.
 */
export async function revalidateAfter(hit: CacheHit, deps: CacheHitDeps): Promise<void> {
  const { checks, report } = deps
  try {
    const request = await dueLook(hit, deps)
    if (request !== undefined) report.jobEnqueued(request, await deps.enqueue(request))
  } catch (error) {
    await checks.forget({ repository: hit.repository, reference: hit.tag })
    report.queueUnavailable({
      requests: 1,
      reason: messageOf(error),
    })
  }
}

/**
 * The look upstream that is due, which is the caller's to make from now on; undefined where none is.
 * @throws QueueUnavailableError when Redis does not answer
 */
export async function dueLook(
  hit: CacheHit,
  { config, checks }: Pick<CacheHitDeps, 'config' | 'checks'>,
): Promise<ReplicationRequest | undefined> {
  if (checks.isFresh({ repository: hit.repository, reference: hit.tag })) return undefined
  const { projects, upstreams, account } = config()
  const decision = decide(hit, { registry: 'local', account }, projects)
  if (decision.kind === 'ignore') return undefined
  const request = forUpstreamOfHost(decision.request, upstreams, hit.host)
  const { unlessCheckedWithinMs = 0 } = decision
  return request && (await checks.due(request, unlessCheckedWithinMs)) ? request : undefined
}
