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
  /** What is the matter with the content itself, where that is the cause. */
  readonly content?: ContentFault
  readonly cause?: unknown
}

/**
 * `unsupported`: it cannot be copied byte-exact at all, which makes the outcome `refused`.
 * `missing`: the local registry lacks something that the manifest names.
 */
export type ContentFault = 'unsupported' | 'missing'

/**
 * Anything that ends a copy other than as an outcome. The message says what was tried, on which
 * registry and reference, what came back and what the operator can do.
 */
export class ReplicationError extends Error {
  override readonly name: string = 'ReplicationError'
  readonly disposition: Disposition
  readonly retryAfterMs: number | undefined
  readonly content: ContentFault | undefined

  constructor(message: string, failure: Failure) {
    super(message, { cause: failure.cause })
    this.disposition = failure.disposition
    this.retryAfterMs = failure.retryAfterMs
    this.content = failure.content
  }
}
