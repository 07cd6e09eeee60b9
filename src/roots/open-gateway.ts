import type { Config } from '../config/config.ts'
import type { LiveConfig } from '../config/live-config.ts'
import { gateway } from '../gateway/gateway.ts'
import { tokenService } from '../gateway/token-service/token-service.ts'
import { LocalRegistry } from '../gateway/local/local-registry.ts'
import { Rights } from '../gateway/rights/rights.ts'
import type { TagNames } from '../gateway/manifests/misses.ts'
import { UpstreamLook } from '../gateway/manifests/upstream-look.ts'
import { TrustedProxies } from '../http/trusted-proxies.ts'
import type { InFlightView } from '../gateway/blobs/in-flight-view.ts'
import { isTag } from '../oci/reference.ts'
import { projectOfLocal } from '../policy/matching.ts'
import { lookLimits, only, openHeldBack } from './gateway-limits.ts'
import type { OpenRegistries } from './open-registries.ts'
import { openLists } from './open-lists.ts'
import { watchedHeads, watchUpstreams } from './watch-upstreams.ts'
import { unreachable } from '../registry/errors/unreachable.ts'
import type { ReplicationQueues } from '../queue/queues.ts'
import { InFlight } from '../pool/in-flight.ts'
import { LocalPolicies } from '../pool/gateways/local-policies.ts'
import { redisTrouble } from '../pool/redis-errors.ts'
import { RecentPulls } from '../pool/gateways/recent-pulls.ts'
import { AnnouncedManifests } from '../pool/gateways/announced-manifests.ts'
import { RedisBlobLedger } from '../pool/redis-blob-ledger.ts'
import type { BlobLedger } from '../replication/graph/blob-ledger.ts'
import { SharedHolds } from '../pool/gateways/shared-holds.ts'
import type { TagChecks } from '../pool/tag-checks.ts'
import { JobEndings } from '../queue/job-endings.ts'
import type { Announcements } from '../pool/announced/announcements.ts'
import { WatchedManifests } from '../pool/announced/watched-manifests.ts'
import type { SpoolFollower } from '../gateway/blobs/follow-spool.ts'
import type { Reporter } from '../telemetry/reports/report.ts'

export interface GatewayParts {
  readonly live: LiveConfig
  readonly queues: ReplicationQueues
  readonly announcements: Announcements
  readonly registries: OpenRegistries
  readonly local: () => LocalRegistry
  readonly follower: SpoolFollower
  readonly checks: TagChecks
  readonly reporter: Reporter
}

/** The gateway with all that it asks: the queue, the upstreams, and the local registry. */
export function openGateway(parts: GatewayParts) {
  const { live, queues, announcements, registries, local, follower, checks, reporter } = parts
  const onError = (error: Error) => {
    reporter.redisFailed(redisTrouble(error))
  }
  const inFlight = new InFlight(queues.redis, onError)
  const manifests = new WatchedManifests(inFlight, announcements)
  const announced = new AnnouncedManifests(queues.redis, onError)
  const holds = new SharedHolds(queues.redis, onError, announcements)
  const endings = new JobEndings(queues, announcements, holds)
  const watch = watchUpstreams(parts, holds)
  const limits = lookLimits(queues.limits, onError)
  const look = new UpstreamLook({
    holdOf: (upstream) => watch.holdOf(upstream),
    source: watchedHeads({ registries, watch }),
    limits,
    onError: (upstream, error) => {
      reporter.lookFailed({ upstream, error })
    },
  })
  let trusted = new TrustedProxies(live.current().trustedProxies)
  live.onChange(({ config }) => (trusted = new TrustedProxies(config.trustedProxies)))
  const rights = new Rights({
    policyOf: (repository) => projectOfLocal(repository, live.current().projects)?.policy,
    local,
    policies: new LocalPolicies(queues.redis, onError),
  })
  const report = withReasons(reporter, live)
  const registryApi = gateway({
    ...openLists({ registries, reporter, watch }),
    trustedProxies: () => trusted,
    rights,
    config: () => missesConfig(live.current()),
    local,
    checks,
    look: (request) => look.head(request),
    limits,
    ...openHeldBack({ registries, queues, look, watch, onError }),
    inFlight: viewOf(inFlight, manifests, new RedisBlobLedger(queues.redis, onError)),
    announced,
    pulls: new RecentPulls(queues.redis, onError),
    openSpool: (...asked) => follower.open(...asked),
    names: namesOf(announced),
    enqueue: async (request) => only(await queues.enqueue([request])),
    offer: async (request) => only(await queues.offer([request])),
    ended: (jobId, signal) => endings.ended(jobId, signal),
    report,
  })
  const trustedProxies = () => trusted
  return { registryApi, tokenService: tokenService({ local, trustedProxies, report }) }
}

function namesOf(told: AnnouncedManifests): TagNames {
  return {
    remember: async ({ repository, reference }, { digest }) => {
      await told.remember(repository, digest, isTag(reference) ? reference : undefined)
    },
    byTag: async (request) => {
      const { repository, reference } = request
      if (isTag(reference)) return request
      const tag = await told.tagOf(repository, reference)
      return tag === undefined
        ? request
        : { ...request, reference: tag, announcedDigest: reference }
    },
  }
}

function withReasons(reporter: Reporter, live: LiveConfig): Reporter {
  return {
    ...reporter,
    localUnreachable({ method, error }) {
      const { local } = live.current()
      reporter.localUnreachable({ method, error: unreachable(local, method, error) })
    },
  }
}

function viewOf(inFlight: InFlight, manifests: WatchedManifests, ledger: BlobLedger): InFlightView {
  return {
    part: (repository, digest) => inFlight.part(repository, digest),
    manifest: (repository, reference) => inFlight.manifest(repository, reference),
    waitForManifest: (repository, reference, signal) =>
      manifests.wait(repository, reference, signal),
    ask: (repository, digest) => inFlight.ask(repository, digest),
    come: async (digest) => (await ledger.look(digest)).coming?.bytes,
    spoolOf: (digest) => inFlight.spoolOf(digest),
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
