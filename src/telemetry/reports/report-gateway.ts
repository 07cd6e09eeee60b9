import type { MissEvent } from '../../events/registry-event.ts'
import type { EnqueuedJob } from './report-webhook.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { FirstTimes } from './first-times.ts'
import { type Report, errorFacts, uncounted } from './reporting.ts'

export interface GatewayReporter {
  /** The gateway was asked for a manifest that the local registry does not have. */
  missAnswered(event: MissEvent, answered: AnsweredMiss): void
  /** A client asked for a manifest; whether the local registry had it. */
  manifestAsked(isHere: boolean): void
  /** Nothing was done for the client, and why. At info once an hour for each repository and reason. */
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
  /** Why it got nothing. */
  readonly reason?: string
  readonly durationMs: number
}

type Own = 'manifestAsked' | 'missAnswered' | 'missIgnored' | 'localUnreachable' | 'lookFailed'

export function reportGateway(report: Report): Pick<GatewayReporter, Own> {
  const refusals = new FirstTimes()
  return {
    manifestAsked(isHere) {
      report({
        level: 'debug',
        message: 'manifest asked for',
        facts: { isHere },
        count: ({ pulls }) => {
          pulls.inc({ answer: isHere ? 'hit' : 'miss' })
        },
      })
    },
    missAnswered({ id: eventId, repository, reference }, { mode, answer, reason, durationMs }) {
      report({
        level: 'info',
        message: 'miss answered',
        facts: {
          eventId,
          repository,
          reference,
          mode,
          answer,
          ...(reason && { reason }),
          durationMs: Math.round(durationMs),
        },
        count: ({ misses, missSeconds }) => {
          misses.inc({ mode, answer })
          missSeconds.observe({ mode, answer }, durationMs / 1_000)
        },
      })
    },
    missIgnored({ id: eventId, repository, reference }, reason) {
      report({
        level: refusals.isFirst(`${repository} ${reason}`) ? 'info' : 'debug',
        message: 'miss ignored',
        facts: { eventId, repository, reference, reason },
        count: ({ ignored }) => {
          ignored.inc({ source: 'gateway', reason })
        },
      })
    },
    localUnreachable({ method, error }) {
      const facts = { method, ...errorFacts(error) }
      report({ level: 'error', message: 'local registry unreachable', facts, count: uncounted })
    },
    lookFailed({ upstream, error }) {
      const facts = { upstream, ...errorFacts(error) }
      report({ level: 'warn', message: 'upstream look failed', facts, count: uncounted })
    },
  }
}
