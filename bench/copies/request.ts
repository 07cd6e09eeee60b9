import { parseReference, parseRepository } from '../../src/oci/reference.ts'
import type { Parsed } from '../../src/oci/parsed.ts'
import type { ReplicationRequest } from '../../src/replication/request.ts'

/** A request as an operator makes it: `manual`, so that nothing is answered from memory. */
export function requestFor(repository: string, tag: string, referrers = false): ReplicationRequest {
  const name = known(parseRepository(repository))
  return {
    repository: name,
    upstreamRepository: name,
    reference: known(parseReference(tag)),
    upstreams: ['hq'],
    trigger: 'manual',
    onlyIfPresent: false,
    platforms: 'all',
    referrers,
    eventId: 'bench',
  }
}

function known<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value
  throw new Error(parsed.reason)
}
