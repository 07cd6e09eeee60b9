import type { RequestListener } from 'node:http'
import type { RootOptions } from '../cli/root-options.ts'
import type { Address, Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { LiveConfig } from '../config/live-config.ts'
import { dashboardRouter } from '../dashboard/dashboard.ts'
import { openOverview, type Overview } from '../dashboard/overview/overview.ts'
import { isRegistryApi } from '../gateway/gateway.ts'
import { createApp } from '../http/app.ts'
import { basicAuth } from '../http/basic-auth.ts'
import { bodyWithin } from '../http/limits/body-within.ts'
import { notFound, unexpectedErrors } from '../http/error-handlers.ts'
import { healthRoutes } from '../http/health.ts'
import { isLoopback, loopbackHostOnly } from '../http/loopback-host.ts'
import { metricsRoute } from '../http/metrics-route.ts'
import { sameOriginOnly } from '../http/same-origin.ts'
import { startHttpServer } from '../http/server.ts'
import { clientAddress, TrustedProxies } from '../http/trusted-proxies.ts'
import { Stack } from '../lifecycle/stack.ts'
import { stopReason } from '../lifecycle/stop-signal.ts'
import { untilAborted } from '../waiting/until-aborted.ts'
import { adminCredentials } from './admin-login.ts'
import { countSent } from './count-sent.ts'
import { openConfig } from './open-config.ts'
import { watchOpenFiles } from './open-files.ts'
import { LiveLocalRegistry, openGateway } from './open-gateway.ts'
import { OpenRegistries } from './open-registries.ts'
import { ForeignLimits } from '../queue/foreign-limits.ts'
import { DurableOffers } from '../queue/offer/durable-offers.ts'
import { ReplicationQueues } from '../queue/queues.ts'
import { waitsForAof } from '../queue/suitable-redis.ts'
import { ResyncSchedule } from '../queue/resync/resync-schedule.ts'
import { Figures } from '../pool/figures.ts'
import { Stories } from '../pool/stories/stories.ts'
import { Announcements } from '../pool/announced/announcements.ts'
import { openProducerConnection, type RedisAddress } from '../pool/connection.ts'
import { redisTrouble } from '../pool/redis-errors.ts'
import { LastSeen } from '../pool/outages/last-seen.ts'
import { OutageWatch } from '../queue/resync/outage-watch.ts'
import { projectsToCatchUp } from './missed-pushes.ts'
import { TagChecks } from '../pool/tag-checks.ts'
import { readDepths } from '../queue/records/upstream-status.ts'
import { FigureRecording, recordStories } from './record-figures.ts'
import { suitableRedis } from './redis-url.ts'
import { SpoolFollower } from '../gateway/blobs/follow-spool.ts'
import { beginServing } from '../telemetry/known-labels.ts'
import { libraryLines } from '../telemetry/library-lines.ts'
import type { ProcessReporter } from '../telemetry/reports/report-process.ts'
import { openTelemetry, type Telemetry } from '../telemetry/telemetry.ts'
import { VERSION } from '../version.ts'
import { DELIVERY_WITHIN_MS, deliveriesFirst } from '../webhook/deliveries-first.ts'
import type { Enqueuer } from '../webhook/enqueuer.ts'
import { openWebhook } from '../webhook/route.ts'

type Gateway = ReturnType<typeof openGateway>

interface Parts {
  readonly live: LiveConfig
  readonly queues: ReplicationQueues
  readonly checks: TagChecks
  readonly telemetry: Telemetry
  readonly overview: Overview
}

interface PublicParts extends Parts {
  readonly enqueuer: Enqueuer
}

/** The composition root of the serving process. Resolves after a graceful stop. */
export async function serve(options: RootOptions): Promise<void> {
  const { configFile, signal, telemetry = openTelemetry(process.env) } = options
  const { reporter } = telemetry
  await using stack = new Stack()
  stack.use(libraryLines(reporter))
  const live = stack.use(await openConfig(configFile, reporter))
  watchOpenFiles(options.spools === undefined ? ['serve'] : ['serve', 'worker'], live, reporter)
  const onError = (error: Error) => {
    reporter.redisFailed(redisTrouble(error))
  }
  const url = await suitableRedis({ ...options, reporter }, live.current())
  if (signal.aborted) return
  // With what was changed meanwhile.
  const config = live.current()
  const { jobs, misses } = config
  const upstreams = config.upstreams.keys()
  const queues = stack.use(new ReplicationQueues({ url, upstreams, jobs, misses, onError }))
  stack.use(new ForeignLimits(queues, { onUndone: reporter.limitUndone, onError }))
  const announcements = stack.use(new Announcements(url, onError))
  const schedule = stack.use(new ResyncSchedule(queues.redis, config.projects, onError))
  const registries = stack.use(new OpenRegistries(config))
  const local = stack.use(new LiveLocalRegistry(live))
  const follower = stack.use(new SpoolFollower(options.spools))
  live.onChange(({ config: changed }) => {
    queues.configure(changed.upstreams.keys(), changed)
    registries.configure(changed)
    schedule.configure(changed.projects)
    beginServing(telemetry.metrics, changed)
  })
  beginServing(telemetry.metrics, config)
  telemetry.watchQueues(() => readDepths(queues))
  const checks = new TagChecks(queues.redis)
  stack.use(watchOutages(queues, live, onError))
  stack.use(new FigureRecording(new Figures(queues.redis), telemetry.metrics))
  stack.use(recordStories(new Stories(queues.redis), telemetry))
  const overview = openOverview(queues, () => live.current())
  const parts = { live, queues, checks, telemetry, overview }
  const enqueuer = waitsForAof(url) ? stack.use(openDurable(queues, url, onError)) : queues
  const admin = stack.use(await startAdmin(parts, options))
  // Before the listener is asked to end: those who look at the page would keep it open.
  stack.use(overview)
  const gateway = openGateway({
    ...{ ...parts, announcements, registries, local: local.current, follower, reporter },
  })
  const server = stack.use(await startPublic(publicApp({ ...parts, enqueuer }, gateway), config))
  reporter.processStarted({
    process: 'serve',
    version: VERSION,
    webhook: `${server.url}/v1/events/`,
    gateway: `${server.url}/v2/`,
    overview: `${admin.url}/`,
    dashboard: `${admin.url}/dashboard`,
  })
  await untilAborted(signal)
  reporter.processStopping({ process: 'serve', reason: stopReason(signal) })
}

function openDurable(
  queues: ReplicationQueues,
  url: RedisAddress,
  onError: (error: Error) => void,
): DurableOffers {
  const open = () => openProducerConnection(url, onError)
  return new DurableOffers((requests) => queues.offer(requests), [open(), open()])
}

function watchOutages(
  { redis }: ReplicationQueues,
  live: LiveConfig,
  onError: (error: Error) => void,
) {
  const projects = () => projectsToCatchUp(live.current())
  return new OutageWatch({ connection: redis, lastSeen: new LastSeen(redis), projects, onError })
}

async function startPublic(app: RequestListener, { listen: address }: Config) {
  return await startHttpServer(app, {
    address,
    configKey: 'listen',
    // A layer may take hours to push; what stands still is ended.
    requestTimeoutMs: 0,
    idleTimeoutMs: IDLE_MS,
    answersExpect: ({ url }) => isRegistryApi(url),
  })
}

// Longer than a client may be held, and than a registry takes to store a large layer.
const IDLE_MS = 3_600_000

function publicApp(parts: PublicParts, gateway: Gateway): RequestListener {
  const { live, enqueuer, checks, telemetry } = parts
  const { reporter: report } = telemetry
  const app = createApp()
  const addSent = (bytes: number) => {
    telemetry.metrics.sentBytes.inc(bytes)
  }
  app.use(countSent(isRegistryApi, addSent))
  app.use(gateway.registryApi)
  app.use(bodyWithin(DELIVERY_WITHIN_MS))
  const config = () => live.current()
  const webhook = openWebhook({ config, enqueuer, checks, report })
  app.use(webhook.router)
  app.use(gateway.tokenService)
  app.use(notFound())
  app.use(unexpectedErrors(report))
  return deliveriesFirst(app, { webhook, report })
}

function adminApp(parts: Parts, listen: Address) {
  const { live, queues, overview, telemetry } = parts
  const { metrics, reporter } = telemetry
  const app = createApp()
  if (isLoopback(listen.host)) app.use(loopbackHostOnly())
  app.use(healthRoutes({ checks: { redis: () => queues.checkTakesJobs() } }))
  app.use(metricsRoute(metrics))
  app.use(sameOriginOnly())
  app.use(adminLogin(live, listen, reporter))
  app.use('/dashboard', dashboardRouter({ queues }))
  app.use(overview.router)
  app.use(notFound())
  app.use(unexpectedErrors(reporter))
  return app
}

async function startAdmin(parts: Parts, { adminListen }: RootOptions) {
  const config = parts.live.current()
  const address = guarded(adminListen ?? config.admin.listen, config)
  return await startHttpServer(adminApp(parts, address), { address, configKey: 'admin.listen' })
}

/** The file's own rule about its address, for one that the command line gave. */
function guarded(listen: Address, { admin, file }: Config): Address {
  if (isLoopback(listen.host) || admin.password !== undefined) return listen
  const message = `--admin-listen ${listen.host}:${listen.port} is reachable from other machines, so the dashboard needs admin.username and admin.passwordFile`
  throw new ConfigError(file, [{ path: 'admin', message }])
}

function adminLogin(live: LiveConfig, listen: Address, reporter: ProcessReporter) {
  return basicAuth({
    credentials: adminCredentials(live, listen),
    peerOf: (request) =>
      clientAddress(request, new TrustedProxies(live.current().trustedProxies)) ?? 'unknown',
    onRefused: (refused) => {
      reporter.loginRefused(refused)
    },
  })
}
