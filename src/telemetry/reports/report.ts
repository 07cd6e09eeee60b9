import type { Logger } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { type GatewayReporter, reportGateway } from './report-gateway.ts'
import { type JobReporter, reportJobs } from './report-jobs.ts'
import { type ProcessReporter, reportProcess } from './report-process.ts'
import { reporting, type Tell } from './reporting.ts'
import { reportResync, type ResyncReporter } from './report-resync.ts'
import { reportUpstreams, type UpstreamReporter } from './report-upstreams.ts'
import { reportWebhook, type WebhookReporter } from './report-webhook.ts'

/**
 * One function per thing that happens; each writes its log line and its metrics together, and none
 * throws: what is being reported on goes on. Features take the part of it that they use.
 */
export type Reporter = WebhookReporter &
  GatewayReporter &
  JobReporter &
  UpstreamReporter &
  ResyncReporter &
  ProcessReporter

export function createReporter(logger: Logger, metrics: Metrics, tell?: Tell): Reporter {
  const report = reporting(logger, metrics, tell)
  return {
    ...reportWebhook(report),
    ...reportGateway(report),
    ...reportJobs(report),
    ...reportUpstreams(report),
    ...reportResync(report),
    ...reportProcess(report),
  }
}
