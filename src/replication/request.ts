import type { Digest } from '../oci/digest.ts'
import type { Reference, Repository } from '../oci/reference.ts'

/** Why something is copied, or removed for `delete`; the order is the order of urgency. */
export const TRIGGERS = ['miss', 'manual', 'push', 'delete', 'revalidate', 'resync'] as const
export type Trigger = (typeof TRIGGERS)[number]

/**
 * What to copy. The producer decides once, so a worker needs nothing else but the registries; it is
 * exactly the job's payload and never holds credentials.
 */
export interface ReplicationRequest {
  /** The name in the local registry. */
  readonly repository: Repository
  /** The name on the upstream; differs where the project sets `upstreamProject`. */
  readonly upstreamRepository: Repository
  readonly reference: Reference
  /** Ids of the upstreams to ask, in this order. */
  readonly upstreams: readonly [string, ...string[]]
  readonly trigger: Trigger
  /** What a push event said the tag now is. The event can be older or newer than the tag itself. */
  readonly announcedDigest?: Digest
  /** What the tag is here, and is to be replaced; a miss is of a tag that is not here. */
  readonly replaces?: Digest
  /** Refresh what is held locally, fetch nothing new. */
  readonly onlyIfPresent: boolean
  /** `all`, or the wanted ones of an index, as `os/architecture[/variant]`. */
  readonly platforms: 'all' | readonly string[]
  /** Copy signatures, SBOMs and attestations too. */
  readonly referrers: boolean
  /** Clients wait for it and are given its parts while they come. */
  readonly followed?: boolean
  /** Who told of the miss, as events are counted: a source's id, `gateway`, or `log`. */
  readonly source?: string
  /** Which of the source's clients missed it, where that is known; says nothing else of that client. */
  readonly client?: string
  /** The client's miss was let in without a token of its buckets, or has it back. */
  readonly unpaid?: boolean
  /** Follows the event or command through job, worker and logs. */
  readonly eventId: string
  /** Of which trace it is a part, where whoever asked is traced; says nothing to anybody else. */
  readonly trace?: Readonly<Record<string, string>>
}
