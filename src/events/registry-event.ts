import type { Digest } from '../oci/digest.ts'
import type { Reference, Repository, Tag } from '../oci/reference.ts'

/** What a source said, in pullsync's one internal form. Only manifests are news; blobs never get here. */
export type RegistryEvent = PushEvent | PullEvent | DeleteEvent | MissEvent

interface Reported {
  /** The sender's own id of the event where it has one, else one made here; repeats carry the same. */
  readonly id: string
  readonly repository: Repository
  /** The account that did it, where the sender says. */
  readonly actor?: string
  readonly userAgent?: string
}

export interface PushEvent extends Reported {
  readonly action: 'push'
  readonly tag?: Tag
  readonly digest?: Digest
  /**
   * What the manifest refers to. `none`: nothing, or the sender's registry has no referrers API, so that
   * a tag tells of it as well. Absent where the sender does not say.
   */
  readonly subject?: Digest | 'none'
}

export interface PullEvent extends Reported {
  readonly action: 'pull'
  readonly tag?: Tag
  readonly digest?: Digest
}

export interface DeleteEvent extends Reported {
  readonly action: 'delete'
  readonly tag?: Tag
  readonly digest?: Digest
  /** What names the request that was made there, where one makes an event for the digest and one for each tag of it. */
  readonly cause?: string
}

/** A pull of something that the local registry does not have. */
export interface MissEvent extends Reported {
  readonly action: 'miss'
  readonly reference: Reference
}
