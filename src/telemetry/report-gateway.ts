import type { MissEvent } from '../events/registry-event.ts'
import type { EnqueuedJob } from './report-webhook.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { type Report, told, uncounted } from './reporting.ts'

export interface GatewayReporter {
  /** The gateway was asked for a manifest that the local registry does not have. */
  missAnswered(event: MissEvent, answered: AnsweredMiss): void
  missIgnored(event: MissEvent, reason: string): void
  /** The registry behind the gateway did not answer; the client was told so. */
  localUnreachable(facts: { readonly method: string; readonly error: unknown }): void
  /** An upstream could not be asked what it has; the client got the registry's own answer. */
  lookFailed(facts: { readonly upstream: string; readonly error: unknown }): void
  jobEnqueued(request: ReplicationRequest, job: EnqueuedJob): void
  queueUnavailable(facts: { readonly requests: number; readonly reason: string }): void
}

export interface AnsweredMiss {
  readonly mode: 'async' | 'hold' | 'stream'
  /** What the client got. */
  readonly answer: 'here' | 'on-the-way' | 'upstream' | 'missing'
  readonly durationMs: number
}

type Own = 'missAnswered' | 'missIgnored' | 'localUnreachable' | 'lookFailed'

export function reportGateway(report: Report): Pick<GatewayReporter, Own> {
  return {
    missAnswered({ id: eventId, repository, reference }, { mode, answer, durationMs }) {
      report({
        level: 'info',
        message: 'miss answered',
        facts: { eventId, repository, reference, mode, answer, durationMs },
        count: ({ misses, missSeconds }) => {
          misses.inc({ mode, answer })
          missSeconds.observe({ mode, answer }, durationMs / 1_000)
        },
      })
    },
    missIgnored({ id: eventId, repository, reference }, reason) {
      report({
        level: 'debug',
        message: 'miss ignored',
        facts: { eventId, repository, reference, reason },
        count: ({ ignored }) => {
          ignored.inc({ source: 'gateway', reason })
        },
      })
    },
    localUnreachable(facts) {
      report({ level: 'error', message: 'local registry unreachable', facts, count: uncounted })
    },
    lookFailed({ upstream, error }) {
      const facts = { upstream, ...told(error) }
      report({ level: 'warn', message: 'upstream look failed', facts, count: uncounted })
    },
  }
}
