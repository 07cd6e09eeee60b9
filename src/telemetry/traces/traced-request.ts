import type { ReplicationRequest } from '../../replication/request.ts'
import { type Attributes, traceContext } from './span.ts'

/** The same request, as part of the trace that runs here, if there is one. */
export function tracedRequest(request: ReplicationRequest): ReplicationRequest {
  const trace = traceContext()
  return trace === undefined ? request : { ...request, trace }
}

/** What of a request a span tells. */
export function requestAttributes(request: ReplicationRequest): Attributes {
  const { repository, reference, trigger, eventId } = request
  return {
    'pullsync.repository': repository,
    'pullsync.reference': reference,
    'pullsync.trigger': trigger,
    'pullsync.event.id': eventId,
  }
}
