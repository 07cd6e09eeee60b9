import { createLogger, type Logger, loggerOptionsFrom } from './logger.ts'
import { createMetrics, type Metrics, type QueueDepth } from './metrics.ts'
import { createReporter, type Reporter } from './reports/report.ts'
import type { Tell } from './reports/reporting.ts'

/** A process's log and numbers; the roots that share a process share it. */
export interface Telemetry {
  readonly logger: Logger
  readonly metrics: Metrics
  readonly reporter: Reporter
  /** Whom to ask at every scrape how many jobs wait; nobody, until it is told. */
  watchQueues(depths: () => Promise<readonly QueueDepth[]>): void
  /** Who is told what happened to images; nobody, until it is told. */
  watchImages(tell: Tell): void
}

/** @throws LogLevelError when LOG_LEVEL is set to something that is not a level */
export function openTelemetry(env: NodeJS.ProcessEnv): Telemetry {
  const logger = createLogger(loggerOptionsFrom(env))
  let ask: () => Promise<readonly QueueDepth[]> = () => Promise.resolve([])
  let told: Tell = () => undefined
  const metrics = createMetrics({ queueDepths: () => ask() })
  return {
    logger,
    metrics,
    reporter: createReporter(logger, metrics, (message, facts) => {
      told(message, facts)
    }),
    watchQueues(depths) {
      ask = depths
    },
    watchImages(tell) {
      told = tell
    },
  }
}
