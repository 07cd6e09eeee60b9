import type { Replicate } from '../src/queue/work/job.ts'
import type { Outcome } from '../src/replication/outcome.ts'
import { type Attributes, inSpan } from '../src/telemetry/traces/span.ts'
import { requestAttributes } from '../src/telemetry/traces/traced-request.ts'

/** Each attempt as a span of the trace in which somebody asked for the image, or of one of its own. */
export function tracedJob(replicate: Replicate): Replicate {
  return async (request, job) => {
    const attributes = {
      ...requestAttributes(request),
      'pullsync.job.id': job.id,
      'pullsync.job.attempt': job.attempt,
      'pullsync.upstream': request.upstreams.join(','),
      'pullsync.job.age_ms': Date.now() - job.queuedAt,
    }
    const from = request.trace ?? {}
    return await inSpan('job', { kind: 'consumer', from, attributes }, async (note) => {
      const outcome = await replicate(request, job)
      note(outcomeAttributes(outcome))
      return outcome
    })
  }
}

function outcomeAttributes(outcome: Outcome): Attributes {
  return {
    'pullsync.outcome': outcome.kind,
    ...('digest' in outcome && { 'pullsync.digest': outcome.digest }),
    ...(outcome.kind === 'refused' && { 'pullsync.reason': outcome.reason }),
    ...(outcome.kind === 'copied' && {
      'pullsync.upstream': outcome.upstream,
      'pullsync.bytes': outcome.bytes,
      'pullsync.manifests': outcome.manifests,
      'pullsync.blobs.copied': outcome.blobs.copied,
      'pullsync.blobs.skipped': outcome.blobs.skipped,
      'pullsync.blobs.mounted': outcome.blobs.mounted,
    }),
  }
}
