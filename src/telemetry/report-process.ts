import type { Facts } from './logger.ts'
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
   * A connection broke or could not be made; it is tried again by itself. What several say of the same
   * break is one line.
   */
  redisFailed(facts: { readonly reason: string }): void
  /** The new configuration is wrong; the old one stays in force. */
  configRefused(facts: { readonly file: string; readonly problems: readonly string[] }): void
  /** There is no place for what clients could follow; they wait for it instead. */
  spoolRefused(facts: { readonly folder: string; readonly error: unknown }): void
  /** A request ended in an error that nobody expected. */
  requestFailed(facts: FailedRequest): void
}

export interface FailedRequest {
  readonly method: string
  /** Without the query, which can hold credentials. */
  readonly path: string
  readonly error: unknown
}

// Each upstream has connections of its own, which all break at the same moment.
const SAME_BREAK_MS = 1_000

export function reportProcess(report: Report): ProcessReporter {
  let lastBreak = { reason: '', at: -SAME_BREAK_MS }
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
      const { reason } = facts
      const at = performance.now()
      if (reason === lastBreak.reason && at - lastBreak.at < SAME_BREAK_MS) return
      lastBreak = { reason, at }
      report({ level: 'warn', message: 'redis connection failed', facts, count: uncounted })
    },
    configRefused(facts) {
      report({ level: 'error', message: 'configuration refused', facts, count: uncounted })
    },
    spoolRefused(facts) {
      report({ level: 'warn', message: 'spool refused', facts, count: uncounted })
    },
    requestFailed(facts) {
      report({ level: 'error', message: 'request failed', facts: { ...facts }, count: uncounted })
    },
  }
}
