import type { Facts } from '../logger.ts'
import type { Metrics } from '../metrics.ts'
import { type Report, uncounted } from './reporting.ts'

export interface ProcessReporter {
  /** @param facts the command, the version and where it listens */
  processStarted(facts: Facts): void
  processStopping(facts: { readonly process: string; readonly reason: string }): void
  processStopped(facts: { readonly durationMs: number }): void
  /** @param facts `needRestart` names what changed without effect until the process starts again */
  configReloaded(facts: { readonly file: string; readonly needRestart: readonly string[] }): void
  /** Changes of the file are not noticed any more; SIGHUP still works. */
  configUnwatched(facts: { readonly file: string; readonly error: unknown }): void
  /**
   * Redis cannot be reached, or refuses a command; connections are made anew by themselves. However many
   * connections say so and however long it lasts, it is one line.
   */
  redisFailed(facts: { readonly reason: string; readonly isAway: boolean }): void
  /** Redis works, and is set up so that it will lose jobs one day. */
  redisUnsuitable(facts: { readonly reason: string }): void
  /** A library wrote to the console. */
  librarySaid(facts: { readonly text: string }): void
  /** The new configuration is wrong; the old one stays in force. */
  configRefused(facts: { readonly file: string; readonly problems: readonly string[] }): void
  /** The configuration may come to need more files and connections than the process may have open. */
  readonly fewOpenFiles: (facts: {
    readonly limit: number
    readonly needed: number
    readonly advice: string
  }) => void
  /** There is no place for what clients could follow; they wait for it instead. */
  spoolRefused(facts: { readonly folder: string; readonly error: unknown }): void
  /** A limit on an upstream's queue that another tool had set in Redis was taken away. */
  readonly limitUndone: (facts: { readonly upstream: string; readonly limit: string }) => void
  /** A wrong login at the admin listener; `slowed`: too many of them, this one was not looked at. */
  loginRefused(facts: { readonly peer: string; readonly slowed: boolean }): void
  /** A request ended in an error that nobody expected. */
  requestFailed(facts: FailedRequest): void
}

export interface FailedRequest {
  readonly method: string
  /** Without the query, which can hold credentials. */
  readonly path: string
  readonly error: unknown
}

// Each upstream has connections of its own, which all break at the same moment, and try again every two seconds.
const SAME_BREAK_MS = 30_000
const MAX_BREAKS = 50

export function reportProcess(report: Report): ProcessReporter {
  const breaks = new Map<string, number>()
  return {
    processStarted(facts) {
      report({ level: 'info', message: 'process started', facts, count: uncounted })
    },
    processStopping(facts) {
      report({ level: 'info', message: 'process stopping', facts, count: uncounted })
    },
    processStopped(facts) {
      report({ level: 'info', message: 'process stopped', facts, count: uncounted })
    },
    configReloaded(facts) {
      report({ level: 'info', message: 'configuration reloaded', facts, count: uncounted })
    },
    configUnwatched(facts) {
      report({ level: 'warn', message: 'configuration unwatched', facts, count: uncounted })
    },
    redisFailed(facts) {
      const { reason, isAway } = facts
      const key = isAway ? 'away' : reason
      const at = performance.now()
      const last = breaks.get(key)
      if (breaks.size >= MAX_BREAKS) breaks.clear()
      breaks.set(key, at)
      if (last !== undefined && at - last < SAME_BREAK_MS) return
      const message = isAway ? 'redis connection failed' : 'redis refused a command'
      report({ level: 'warn', message, facts: { reason }, count: uncounted })
    },
    redisUnsuitable(facts) {
      report({ level: 'warn', message: 'redis not safe for jobs', facts, count: uncounted })
    },
    librarySaid(facts) {
      report({ level: 'warn', message: 'library warning', facts, count: uncounted })
    },
    configRefused(facts) {
      report({ level: 'error', message: 'configuration refused', facts, count: uncounted })
    },
    fewOpenFiles: warning(report, 'few open files allowed'),
    spoolRefused(facts) {
      report({ level: 'warn', message: 'spool refused', facts, count: countRefusal })
    },
    limitUndone: warning(report, 'foreign queue limit undone'),
    loginRefused(facts) {
      const message = 'admin login refused'
      // Whoever guesses must not fill the log: those that are looked at come once a second.
      report({
        level: facts.slowed ? 'debug' : 'warn',
        message,
        facts,
        count: ({ loginsRefused }) => {
          loginsRefused.inc()
        },
      })
    },
    requestFailed(facts) {
      report({ level: 'error', message: 'request failed', facts: { ...facts }, count: uncounted })
    },
  }
}

function warning(report: Report, message: string) {
  return (facts: Facts) => {
    report({ level: 'warn', message, facts, count: uncounted })
  }
}

function countRefusal({ spoolRefusals }: Pick<Metrics, 'spoolRefusals'>): void {
  spoolRefusals.inc()
}
