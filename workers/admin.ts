import type { Address } from '../src/config/config.ts'
import { createApp } from '../src/http/app.ts'
import { notFound, unexpectedErrors } from '../src/http/error-handlers.ts'
import { healthRoutes } from '../src/http/health.ts'
import { metricsRoute } from '../src/http/metrics-route.ts'
import { type HttpServer, startHttpServer } from '../src/http/server.ts'
import type { ReplicationQueues } from '../src/queue/queues.ts'
import type { Telemetry } from '../src/telemetry/telemetry.ts'

export interface WorkerAdmin {
  readonly telemetry: Telemetry
  readonly queues: ReplicationQueues
}

/** Metrics and health of a worker; the dashboard is the serving process's. */
export async function startWorkerAdmin(
  address: Address,
  { telemetry, queues }: WorkerAdmin,
): Promise<HttpServer> {
  const app = createApp()
  app.use(healthRoutes({ checks: { redis: () => queues.checkTakesJobs() } }))
  app.use(metricsRoute(telemetry.metrics))
  app.use(notFound())
  app.use(unexpectedErrors(telemetry.reporter))
  return await startHttpServer(app, { address, configKey: '--admin-listen' })
}
