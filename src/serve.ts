import type { RootOptions } from './cli/roots.ts'
import type { Address, Config } from './config/config.ts'
import { ConfigError } from './config/config-error.ts'
import type { LiveConfig } from './config/live-config.ts'
import { dashboardRouter } from './dashboard/dashboard.ts'
import { isRegistryApi } from './gateway/gateway.ts'
import { createApp } from './http/app.ts'
import { basicAuth } from './http/basic-auth.ts'
import { bodyWithin } from './http/body-within.ts'
import { notFound, unexpectedErrors } from './http/errors.ts'
import { healthRoutes } from './http/health.ts'
import { isLoopback, loopbackHostOnly } from './http/loopback-host.ts'
import { metricsRoute } from './http/metrics-route.ts'
import { sameOriginOnly } from './http/same-origin.ts'
import { startHttpServer } from './http/server.ts'
import { Stack } from './lifecycle/stack.ts'
import { untilAborted } from './lifecycle/until-aborted.ts'
import { openConfig } from './open-config.ts'
import { LiveLocalRegistry, openGateway } from './open-gateway.ts'
import { OpenRegistries } from './open-registries.ts'
import { ReplicationQueues } from './queue/queues.ts'
import { ResyncSchedule } from './queue/resync-schedule.ts'
import { TagChecks } from './queue/tag-checks.ts'
import { readDepths } from './queue/upstream-status.ts'
import { redisUrlOf } from './redis-url.ts'
import { SpoolFollower } from './gateway/follow-spool.ts'
import { openTelemetry, type Telemetry } from './telemetry/telemetry.ts'
import { VERSION } from './version.ts'
import { webhookRoutes } from './webhook/route.ts'

type Gateway = ReturnType<typeof openGateway>

interface Parts {
  readonly live: LiveConfig
  readonly queues: ReplicationQueues
  readonly checks: TagChecks
  readonly telemetry: Telemetry
}

/** The composition root of the serving process. Resolves after a graceful stop. */
export async function serve(options: RootOptions): Promise<void> {
  const { configFile, signal, telemetry = openTelemetry(process.env) } = options
  const { reporter } = telemetry
  await using stack = new Stack()
  const live = stack.use(await openConfig(configFile, reporter))
  const config = live.current()
  const onError = (error: Error) => {
    reporter.redisFailed({ reason: error.message })
  }
  const url = redisUrlOf(options, config)
  const { jobs, misses } = config
  const upstreams = config.upstreams.keys()
  const queues = stack.use(new ReplicationQueues({ url, upstreams, jobs, misses, onError }))
  const schedule = stack.use(new ResyncSchedule(queues.redis, config.projects, onError))
  const registries = stack.use(new OpenRegistries(config))
  const local = stack.use(new LiveLocalRegistry(live))
  const follower = stack.use(new SpoolFollower(options.spools))
  live.onChange(({ config: changed }) => {
    queues.configure(changed.upstreams.keys(), changed)
    registries.configure(changed)
    schedule.configure(changed.projects)
  })
  telemetry.watchQueues(() => readDepths(queues))
  const checks = new TagChecks(queues.redis)
  const parts = { live, queues, checks, telemetry }
  const adminListen = guarded(options.adminListen ?? config.admin.listen, config)
  const admin = stack.use(
    await startHttpServer(adminApp(parts, adminListen), {
      address: adminListen,
      configKey: 'admin.listen',
    }),
  )
  const server = stack.use(
    await startHttpServer(
      publicApp(
        parts,
        openGateway({ ...parts, registries, local: local.current, follower, reporter }),
      ),
      {
        address: config.listen,
        configKey: 'listen',
        // A layer may take hours to push; what stands still is ended.
        requestTimeoutMs: 0,
        idleTimeoutMs: IDLE_MS,
        answersExpect: ({ url }) => isRegistryApi(url),
      },
    ),
  )
  reporter.processStarted({
    process: 'serve',
    version: VERSION,
    webhook: `${server.url}/v1/events/`,
    gateway: `${server.url}/v2/`,
    dashboard: `${admin.url}/dashboard`,
  })
  await untilAborted(signal)
  reporter.processStopping({ process: 'serve', reason: 'asked to' })
}

// Longer than a client may be held, and than a registry takes to store a large layer.
const IDLE_MS = 3_600_000
const DELIVERY_WITHIN_MS = 30_000

function publicApp({ live, queues, checks, telemetry }: Parts, gateway: Gateway) {
  const { reporter } = telemetry
  const app = createApp()
  app.use(gateway)
  app.use(bodyWithin(DELIVERY_WITHIN_MS))
  const config = () => live.current()
  app.use(webhookRoutes({ config, enqueuer: queues, checks, report: reporter }))
  app.use(notFound())
  app.use(unexpectedErrors(reporter))
  return app
}

function adminApp({ live, queues, telemetry: { metrics, reporter } }: Parts, listen: Address) {
  const app = createApp()
  app.use(healthRoutes({ checks: { redis: () => queues.ping() } }))
  app.use(metricsRoute(metrics))
  if (isLoopback(listen.host)) app.use(loopbackHostOnly())
  app.use(sameOriginOnly())
  app.use(basicAuth(() => credentials(live)))
  app.use('/dashboard', dashboardRouter({ queues }))
  app.use(notFound())
  app.use(unexpectedErrors(reporter))
  return app
}

/** The file's own rule about its address, for one that the command line gave. */
function guarded(listen: Address, { admin, file }: Config): Address {
  if (isLoopback(listen.host) || admin.password !== undefined) return listen
  const message = `--admin-listen ${listen.host}:${listen.port} is reachable from other machines, so the dashboard needs admin.username and admin.passwordFile`
  throw new ConfigError(file, [{ path: 'admin', message }])
}

function credentials(live: LiveConfig) {
  const { username, password } = live.current().admin
  return password === undefined ? undefined : { username, password }
}
