import { type Report, errorFacts, uncounted } from './reporting.ts'

export interface Walked {
  readonly project: string
  /** On every job that the walk made, as their `eventId`. */
  readonly walkId: string
  readonly repositories: number
  /** Where their names are from; `memory`: the registry does not list them, so it is what was looked up lately. */
  readonly listedBy: 'catalog' | 'memory'
  readonly tags: number
  /** Looks that were queued; fewer than tags where filters keep some out. */
  readonly queued: number
}

export interface CaughtUp {
  readonly project: string
  readonly walkId: string
  /** From when on: the time of Harbor. */
  readonly since: string
  /** Looks at what was pushed since then. */
  readonly queued: number
}

export interface ResyncReporter {
  resyncEnded(walked: Walked & { readonly durationMs: number }): void
  /** What it had queued by then stays queued; the clock starts the next one. */
  resyncFailed(walked: Walked & { readonly error: unknown }): void
  /** With what upstream pushed while nobody was there to be told of it. */
  caughtUp(caught: CaughtUp): void
}

export function reportResync(report: Report): ResyncReporter {
  return {
    resyncEnded(facts) {
      report({
        level: facts.listedBy === 'memory' ? 'warn' : 'info',
        message:
          facts.listedBy === 'memory'
            ? 'resync ended, of what was looked up lately: the local registry does not list its repositories to this account'
            : 'resync ended',
        facts: { ...facts },
        count: ({ resyncs }) => {
          resyncs.inc({ project: facts.project, outcome: 'ended' })
        },
      })
    },
    caughtUp(facts) {
      report({
        level: 'info',
        message: 'caught up after an outage',
        facts: { ...facts },
        count: uncounted,
      })
    },
    resyncFailed({ error, ...facts }) {
      report({
        level: 'error',
        message: 'resync failed',
        facts: { ...facts, ...errorFacts(error) },
        count: ({ resyncs }) => {
          resyncs.inc({ project: facts.project, outcome: 'failed' })
        },
      })
    },
  }
}
