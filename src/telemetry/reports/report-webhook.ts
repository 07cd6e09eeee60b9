import type { RegistryEvent } from '../../events/registry-event.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { FirstTimes } from './first-times.ts'
import { type Report, uncounted } from './reporting.ts'

/** Where something was said: the source's id in the config, and the HTTP request that said it. */
export interface Said {
  readonly source: string
  readonly requestId: string
}

export interface WebhookReporter {
  deliveryAnswered(answered: Said & { readonly status: number; readonly durationMs: number }): void
  /** No secret, or a wrong one. At warn once a minute for each source; each delivery is counted. */
  proofRefused(said: Said): void
  /** Whether the sender is who it says cannot be told now; it was told to come again. */
  keysUnavailable(said: Said, error: Error): void
  /** The sender is who it says, but what it sent is not of its format. */
  deliveryMalformed(said: Said, reason: string): void
  eventReceived(said: Said, event: RegistryEvent): void
  eventIgnored(said: Said, ignored: Ignored): void
  /** Work could not be queued; the sender was told to come again. */
  queueUnavailable(facts: { readonly requests: number; readonly reason: string }): void
  jobEnqueued(request: ReplicationRequest, job: EnqueuedJob): void
}

export interface Ignored {
  /** One of a small closed set. */
  readonly reason: string
  readonly eventId?: string
  readonly repository?: string
  readonly detail?: string
}

export interface EnqueuedJob {
  readonly jobId: string
  /** The same work was already queued. */
  readonly duplicate: boolean
}

export function reportWebhook(report: Report): WebhookReporter {
  return {
    deliveryAnswered({ durationMs, ...facts }) {
      const { source, status } = facts
      report({
        level: 'debug',
        message: 'delivery answered',
        facts: { ...facts, durationMs: Math.round(durationMs) },
        count: ({ deliveries, deliverySeconds }) => {
          deliveries.inc({ source, status })
          deliverySeconds.observe({ source }, durationMs / 1_000)
        },
      })
    },
    ...reportProof(report),
    deliveryMalformed(said, reason) {
      report({
        level: 'warn',
        message: 'delivery malformed',
        facts: { ...said, reason },
        count: ({ malformed }) => {
          malformed.inc({ source: said.source })
        },
      })
    },
    eventReceived(said, event) {
      const { id: eventId, ...facts } = event
      report({
        level: 'debug',
        message: 'event received',
        facts: { ...said, eventId, ...facts },
        count: ({ events }) => {
          events.inc({ source: said.source, action: event.action })
        },
      })
    },
    eventIgnored(said, event) {
      report({
        level: 'debug',
        message: 'event ignored',
        facts: { ...said, ...event },
        count: ({ ignored }) => {
          ignored.inc({ source: said.source, reason: event.reason })
        },
      })
    },
    ...reportQueueing(report),
  }
}

/** Anybody can send what proves nothing: that must not fill the log. */
const PROOF_TOLD_EVERY_MS = 60_000

function reportProof(report: Report): Pick<WebhookReporter, 'proofRefused' | 'keysUnavailable'> {
  const [refused, unavailable] = [
    new FirstTimes(PROOF_TOLD_EVERY_MS),
    new FirstTimes(PROOF_TOLD_EVERY_MS),
  ]
  return {
    proofRefused(said) {
      report({
        level: refused.isFirst(said.source) ? 'warn' : 'debug',
        message: 'delivery not proven',
        facts: { ...said },
        count: uncounted,
      })
    },
    keysUnavailable(said, error) {
      report({
        level: unavailable.isFirst(said.source) ? 'error' : 'debug',
        message: 'signing keys unavailable',
        facts: { ...said, reason: error.message },
        count: uncounted,
      })
    },
  }
}

function reportQueueing(report: Report): Pick<WebhookReporter, 'jobEnqueued' | 'queueUnavailable'> {
  return {
    queueUnavailable(facts) {
      report({ level: 'error', message: 'queue unavailable', facts, count: uncounted })
    },
    jobEnqueued(request, { jobId, duplicate }) {
      const { eventId, repository, reference, trigger, upstreams } = request
      const upstream = upstreams[0]
      report({
        level: duplicate ? 'debug' : 'info',
        message: duplicate ? 'job already there' : 'job enqueued',
        facts: { eventId, jobId, upstream, repository, reference, trigger },
        count: ({ enqueued, duplicates }) => {
          const counter = duplicate ? duplicates : enqueued
          counter.inc({ upstream, trigger })
        },
      })
    },
  }
}
