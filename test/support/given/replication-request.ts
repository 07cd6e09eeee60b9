import type { Reference, Repository } from '../../../src/oci/reference.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'

/** A miss of `team/app:1.0`, which `hq` has under the same name, but for what is told. */
export function replicationRequest(
  changes: Partial<Omit<ReplicationRequest, 'reference'>> & { readonly reference?: string } = {},
): ReplicationRequest {
  const { reference = '1.0', ...others } = changes
  return {
    repository: 'team/app' as Repository,
    upstreamRepository: 'team/app' as Repository,
    reference: reference as Reference,
    upstreams: ['hq'],
    trigger: 'miss',
    onlyIfPresent: false,
    platforms: 'all',
    referrers: false,
    eventId: 'event-1',
    ...others,
  }
}
