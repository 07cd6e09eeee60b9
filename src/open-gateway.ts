import type { Config } from './config/config.ts'
import type { LiveConfig } from './config/live-config.ts'
import { gateway } from './gateway/gateway.ts'
import { LocalRegistry } from './gateway/local-registry.ts'
import { type LookLimits, UpstreamLook } from './gateway/upstream-look.ts'
import { inTime } from './lifecycle/in-time.ts'
import { isTag } from './oci/reference.ts'
import type { OpenRegistries } from './open-registries.ts'
import type { MissLimits } from './queue/miss-limits.ts'
import type { ReplicationQueues } from './queue/queues.ts'
import { OnTheWay } from './queue/on-the-way.ts'
import { RedisTagNames } from './queue/redis-tag-names.ts'
import type { TagChecks } from './queue/tag-checks.ts'
import { isEnded, waitForJob, waitsForRetry } from './queue/wait-for-job.ts'
import type { SpoolFollower } from './gateway/follow-spool.ts'
import type { Reporter } from './telemetry/report.ts'

export interface GatewayParts {
  readonly live: LiveConfig
  readonly queues: ReplicationQueues
  readonly registries: OpenRegistries
  readonly local: () => LocalRegistry
  readonly follower: SpoolFollower
  readonly checks: TagChecks
  readonly reporter: Reporter
}

// A job takes tens of milliseconds at least; a client that is held should not wait for the clock.
const LOOK_FOR_END_EVERY_MS = 40

/** The gateway with all that it asks: the queue, the upstreams, and the local registry. */
export function openGateway(parts: GatewayParts) {
  const { live, queues, registries, local, follower, checks, reporter } = parts
  const onError = (error: Error) => {
    reporter.redisFailed({ reason: error.message })
  }
  const names = new RedisTagNames(queues.redis, onError)
  const look = new UpstreamLook({
    source: (upstream, { upstreamRepository }) =>
      registries.has(upstream) ? registries.of(upstream).repository(upstreamRepository) : undefined,
    limits: lookLimits(queues.limits, onError),
    onError: (upstream, error) => {
      reporter.lookFailed({ upstream, error })
    },
  })
  return gateway({
    config: () => missesConfig(live.current()),
    local,
    checks,
    look: (request) => look.head(request),
    onTheWay: new OnTheWay(queues.redis, onError),
    openSpool: (url, offset, signal) => follower.open(url, offset, signal),
    names: {
      remember: async ({ repository, reference }, { digest }) => {
        if (isTag(reference)) await names.remember(repository, digest, reference)
      },
      byTag: async (request) => {
        const { repository, reference } = request
        if (isTag(reference)) return request
        const tag = await names.tagOf(repository, reference)
        return tag === undefined
          ? request
          : { ...request, reference: tag, announcedDigest: reference }
      },
    },
    enqueue: async (request) => only(await queues.enqueue([request])),
    offer: async (request) => only(await queues.offer([request])),
    async landed(jobId, signal) {
      const ended = await waitForJob(queues, jobId, {
        signal,
        everyMs: LOOK_FOR_END_EVERY_MS,
        // Upstream is down, or says no: the client's own retry comes when the job's may have helped.
        isEnough: (record) => isEnded(record) || waitsForRetry(record),
      })
      const kind = ended?.outcome?.kind
      return kind === 'copied' || kind === 'up-to-date'
    },
    report: reporter,
  })
}

function only<T>([answer]: readonly T[]): T {
  if (answer === undefined) throw new Error('the queue gave no answer')
  return answer
}

// A HEAD needs Redis for nothing else that could not be left out: it waits no longer for it.
const LIMITS_WITHIN_MS = 250

/** What Redis does not say, or not soon, holds nobody back. */
function lookLimits(limits: MissLimits, onError: (error: Error) => void): LookLimits {
  const failed = (error: unknown): undefined => {
    onError(error instanceof Error ? error : new Error(String(error)))
  }
  return {
    async check(request) {
      const asked = limits.check([request]).then(([reason]) => reason, failed)
      return await inTime(asked, LIMITS_WITHIN_MS)
    },
    take(request) {
      limits.take(request).catch(failed)
    },
  }
}

function missesConfig({ projects, upstreams, local }: Config) {
  return { projects, upstreams, account: local.username }
}

/** The connections to the local registry of the configuration of this moment. */
export class LiveLocalRegistry implements Disposable {
  #open: LocalRegistry

  constructor(live: LiveConfig) {
    this.#open = new LocalRegistry(live.current().local)
    live.onChange(({ config }) => {
      const before = this.#open
      this.#open = new LocalRegistry(config.local)
      before.retire()
    })
  }

  current = (): LocalRegistry => this.#open;

  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]()
  }
}
