import { type ReplicationRequest } from '../replication/request.ts'

/** The requests without those that ask for the very same as an earlier one, in the same order. */
export function distinct(requests: readonly ReplicationRequest[]): ReplicationRequest[] {
  const first = new Map<string, ReplicationRequest>()
  for (const request of requests) {
    const key = sameness(request)
    if (!first.has(key)) first.set(key, request)
  }
  return [...first.values()]
}

// Everything but `eventId`, which says who asked and not for what.
function sameness({ eventId: _, ...asked }: ReplicationRequest): string {
  return JSON.stringify(asked, Object.keys(asked).sort())
}
