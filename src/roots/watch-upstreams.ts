import type { LookOptions } from '../gateway/manifests/upstream-look.ts'
import { formatImageName } from '../oci/reference.ts'
import { Breakers } from '../pool/breaker.ts'
import type { SharedHolds } from '../pool/gateways/shared-holds.ts'
import { redisTrouble } from '../pool/redis-errors.ts'
import { UpstreamWatch } from '../pool/gateways/upstream-watch.ts'
import type { LiveConfig } from '../config/live-config.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import type { Reporter } from '../telemetry/reports/report.ts'
import type { OpenRegistries } from './open-registries.ts'

interface Told {
  readonly live: LiveConfig
  readonly queues: ReplicationQueues
  readonly reporter: Reporter
}

/** How upstreams answer clients counts for the pool. */
export function watchUpstreams(
  { live, queues, reporter }: Told,
  holds: SharedHolds,
): UpstreamWatch {
  const onError = (error: Error) => {
    reporter.redisFailed(redisTrouble(error))
  }
  return new UpstreamWatch({
    redis: queues.redis,
    holds,
    breakers: new Breakers(queues.redis, () => live.current().outages),
    onHeld: (registry, hold) => {
      reporter.registryHeld({ registry, ...hold })
    },
    onAnswers: (registry) => {
      reporter.registryAnswers({ registry })
      queues.of(registry).removeRateLimitKey().catch(onError)
    },
    onError,
  })
}

export interface WatchParts {
  readonly registries: OpenRegistries
  readonly watch: UpstreamWatch
}

export function watchedHeads({ registries, watch }: WatchParts): LookOptions['source'] {
  return (upstream, { upstreamRepository }) => {
    if (!registries.has(upstream)) return undefined
    const repository = registries.of(upstream).repository(upstreamRepository)
    return {
      headManifest: (reference, signal) => {
        const image = formatImageName(upstreamRepository, reference)
        return watch.watched({ upstream, image }, repository.headManifest(reference, signal))
      },
    }
  }
}
