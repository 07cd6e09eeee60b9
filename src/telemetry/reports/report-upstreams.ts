import { type Report, uncounted } from './reporting.ts'

export interface UpstreamReporter {
  /** An upstream told how many more pulls it gives; counted, not logged. */
  pullAllowance(facts: {
    readonly upstream: string
    readonly limit: number
    readonly remaining: number
  }): void
  /** It asked to be left alone, is down, or takes nothing: nobody asks it for so long. */
  registryHeld(facts: {
    readonly registry: string
    readonly kind: 'held' | 'down' | 'parked'
    readonly forMs: number
  }): void
  /** It is asked again as always. */
  registryAnswers(facts: { readonly registry: string }): void
}

export function reportUpstreams(report: Report): UpstreamReporter {
  return {
    pullAllowance(facts) {
      report({
        level: 'debug',
        message: 'pulls remaining',
        facts,
        count: ({ pullAllowance }) => {
          pullAllowance.set({ upstream: facts.upstream }, facts.remaining)
        },
      })
    },
    registryHeld(facts) {
      report({
        level: 'warn',
        message: 'registry held',
        facts,
        count: ({ held }) => {
          held.inc({ upstream: facts.registry, kind: facts.kind })
        },
      })
    },
    registryAnswers(facts) {
      report({ level: 'info', message: 'registry answers again', facts, count: uncounted })
    },
  }
}
