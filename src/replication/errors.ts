/**
 * What to do about a failure, decided once, where it arises:
 * `permanent` fails the job at once; `transient` is tried again in a while; `parked` needs somebody
 * to make room or lift a lock, so it is tried again after a long while and stays visible.
 */
export type Disposition = 'permanent' | 'transient' | 'parked'

/** Which side of a copy an error arose on. */
export type Side = 'upstream' | 'local'

export interface Failure {
  readonly disposition: Disposition
  /** What the other side asked for, in milliseconds; the whole pool obeys it. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/**
 * Anything that ends a copy other than as an outcome. The message says what was tried, on which
 * registry and reference, what came back and what the operator can do.
 */
export class ReplicationError extends Error {
  override readonly name: string = 'ReplicationError'
  readonly disposition: Disposition
  readonly retryAfterMs: number | undefined

  constructor(message: string, failure: Failure) {
    super(message, { cause: failure.cause })
    this.disposition = failure.disposition
    this.retryAfterMs = failure.retryAfterMs
  }
}

/** The upstream's content cannot be copied byte-exact at all; becomes the outcome `refused`. */
export class UnsupportedContentError extends ReplicationError {
  override readonly name = 'UnsupportedContentError'

  constructor(message: string, cause?: unknown) {
    super(message, { disposition: 'permanent', cause })
  }
}

/** The local registry refused a manifest because it says it lacks something the manifest names. */
export class MissingContentError extends ReplicationError {
  override readonly name = 'MissingContentError'

  constructor(message: string, cause?: unknown) {
    super(message, { disposition: 'transient', cause })
  }
}
