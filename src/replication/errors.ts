import type { Digest } from '../oci/digest.ts'

/**
 * What to do about a failure, decided once, where it arises:
 * `permanent` fails the job at once; `transient` is tried again in a while; `parked` needs somebody
 * to make room or lift a lock, so it is tried again after a long while and stays visible.
 */
export type Disposition = 'permanent' | 'transient' | 'parked'

/** Which side of a copy an error arose on. */
export type Side = 'upstream' | 'local'

/** What a failure says of the registry rather than of the image that was asked for. */
export interface Outage {
  /** `local`, with a project behind it where only that takes nothing; or the upstream's id. */
  readonly registry: string
  readonly side: Side
  /** It asked to be left alone, fails whoever asks, or takes nothing until somebody makes room. */
  readonly kind: 'held' | 'down' | 'parked'
  /** In milliseconds; 0 when it did not say. */
  readonly retryAfterMs: number
  /** False when it may be that one image after all. */
  readonly isSure: boolean
  /** Nothing took a connection: no request of anybody's can succeed. */
  readonly isUnreachable: boolean
}

export interface Failure {
  readonly disposition: Disposition
  /** What the other side asked for, in milliseconds; the whole pool obeys it. */
  readonly retryAfterMs?: number
  /** What is the matter with the content itself, where that is the cause. */
  readonly content?: ContentFault
  /** What the local registry says that it does not know of what a manifest names; not all registries do. */
  readonly unknown?: readonly Digest[]
  /** The upstream does not give it to this account, which it may say also of what it does not have. */
  readonly denied?: boolean
  /** The registry has the image, and a policy keeps it from everybody: it is not signed, or not scanned. */
  readonly withheld?: boolean
  readonly cause?: unknown
}

/**
 * `unsupported`: it cannot be copied byte-exact at all, which makes the outcome `refused`.
 * `missing`: the local registry lacks something that the manifest names.
 * `invalid`: it calls the manifest wrong, which may also mean that it lacks something; else `refused`, too.
 */
export type ContentFault = 'unsupported' | 'missing' | 'invalid'

/**
 * Anything that ends a copy other than as an outcome. The message says what was tried, on which
 * registry and reference, what came back and what the operator can do.
 */
export class ReplicationError extends Error {
  override readonly name: string = 'ReplicationError'
  readonly disposition: Disposition
  readonly retryAfterMs: number | undefined
  readonly content: ContentFault | undefined
  readonly unknown: readonly Digest[]
  readonly denied: boolean
  readonly withheld: boolean

  /** Undefined where the failure is of this image alone. */
  get outage(): Outage | undefined {
    return undefined
  }

  constructor(message: string, failure: Failure) {
    super(message, { cause: failure.cause })
    this.disposition = failure.disposition
    this.retryAfterMs = failure.retryAfterMs
    this.content = failure.content
    this.unknown = failure.unknown ?? []
    this.denied = failure.denied ?? false
    this.withheld = failure.withheld ?? false
  }
}

/** Another job writes a tag that this one needs: it comes back to it, which costs it no attempt. */
export class TagBusyError extends ReplicationError {
  override readonly name = 'TagBusyError'

  constructor(message: string) {
    super(message, { disposition: 'transient' })
  }
}

export function isMissing(error: unknown): error is ReplicationError {
  return error instanceof ReplicationError && error.content === 'missing'
}
