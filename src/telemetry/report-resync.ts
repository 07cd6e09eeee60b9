import { type Report, told } from './reporting.ts'

export interface Walked {
  readonly project: string
  /** On every job that the walk made, as their `eventId`. */
  readonly walkId: string
  readonly repositories: number
  readonly tags: number
  /** Looks that were queued; fewer than tags where filters keep some out. */
  readonly queued: number
}

export interface ResyncReporter {
  resyncEnded(walked: Walked & { readonly durationMs: number }): void
  /** What it had queued by then stays queued; the clock starts the next one. */
  resyncFailed(walked: Walked & { readonly error: unknown }): void
}

export function reportResync(report: Report): ResyncReporter {
  return {
    resyncEnded(facts) {
      report({
        level: 'info',
        message: 'resync ended',
        facts: { ...facts },
        count: ({ resyncs }) => {
          resyncs.inc({ project: facts.project, outcome: 'ended' })
        },
      })
    },
    resyncFailed({ error, ...facts }) {
      report({
        level: 'error',
        message: 'resync failed',
        facts: { ...facts, ...told(error) },
        count: ({ resyncs }) => {
          resyncs.inc({ project: facts.project, outcome: 'failed' })
        },
      })
    },
  }
}
