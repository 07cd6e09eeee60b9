import type { Config } from '../config/config.ts'
import type { Metrics } from './metrics.ts'

type Labelled = Pick<Config, 'upstreams' | 'sources'>

const MODES = ['stream', 'hold', 'async'] as const
const ANSWERS = ['here', 'on-the-way', 'upstream', 'missing'] as const
const REFUSALS = ['401', '404', '422', '503'] as const
const LIMITED = ['source-limited', 'repository-limited'] as const
const OUTCOMES = ['copied', 'up-to-date', 'not-found', 'deleted', 'refused'] as const
const DISPOSITIONS = ['permanent', 'transient', 'parked'] as const
const HOLDS = ['held', 'down', 'parked'] as const

/**
 * Begins at 0 what a serving process counts, as far as the labels are known before anything happens: an increase
 * that begins with the first of a series is none to Prometheus, and its alert would miss it.
 */
export function beginServing(metrics: Metrics, { sources }: Labelled): void {
  const { deliveries, malformed, ignored, misses, pulls } = metrics
  for (const source of sources.keys()) {
    for (const status of ['202', ...REFUSALS]) deliveries.inc({ source, status }, 0)
    for (const reason of LIMITED) ignored.inc({ source, reason }, 0)
    malformed.inc({ source }, 0)
  }
  for (const reason of LIMITED) ignored.inc({ source: 'gateway', reason }, 0)
  for (const mode of MODES) for (const answer of ANSWERS) misses.inc({ mode, answer }, 0)
  for (const answer of ['hit', 'miss']) pulls.inc({ answer }, 0)
}

/** The same for a worker. */
export function beginWork(metrics: Metrics, { upstreams }: Labelled): void {
  const { ended, failures, lost, bytes, held } = metrics
  for (const upstream of upstreams.keys()) {
    for (const outcome of OUTCOMES) ended.inc({ upstream, outcome }, 0)
    for (const disposition of DISPOSITIONS) failures.inc({ upstream, disposition }, 0)
    for (const kind of HOLDS) held.inc({ upstream, kind }, 0)
    lost.inc({ upstream }, 0)
    bytes.inc({ upstream }, 0)
  }
}
