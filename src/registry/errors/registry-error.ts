import { type Failure, type Outage, ReplicationError, type Side } from '../../replication/errors.ts'
import type { Operation, OperationKind } from '../words/operation.ts'

export interface RegistryFailure extends Failure {
  readonly registry: string
  readonly side: Side
  /** What was asked for, which may be a token for something else. */
  readonly kind?: OperationKind
  /** Absent when no answer came. */
  readonly status?: number
  /** Error codes of the OCI distribution-spec that the answer held. */
  readonly codes?: readonly string[]
  /** Of the network or TLS failure: `ECONNREFUSED`, `STALLED` …; absent when an answer came. */
  readonly networkCode?: string
}

// What a front answers for what stands behind it, or to whoever asks; a 500 may be of one image.
const SURE_STATUS = new Set([429, 502, 503, 504])
const UNREACHABLE = new Set([
  ...['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT'],
])

/** Anything that a registry, or the way to it, did other than what was asked. */
export class RegistryError extends ReplicationError {
  override readonly name: string = 'RegistryError'
  /** `local` or the upstream's id. */
  readonly registry: string
  readonly side: Side
  readonly kind: OperationKind | undefined
  readonly status: number | undefined
  readonly codes: readonly string[]
  readonly networkCode: string | undefined

  constructor(message: string, failure: RegistryFailure) {
    super(message, failure)
    this.registry = failure.registry
    this.side = failure.side
    this.kind = failure.kind
    this.status = failure.status
    this.codes = failure.codes ?? []
    this.networkCode = failure.networkCode
  }

  override get outage(): Outage | undefined {
    const { registry, side, status, disposition, networkCode = '', retryAfterMs = 0 } = this
    if (this.withheld) return undefined
    if (disposition === 'parked') {
      return { registry, side, kind: 'parked', retryAfterMs, isSure: true, isUnreachable: false }
    }
    if (disposition !== 'transient' || !isFault(this)) return undefined
    const kind = retryAfterMs > 0 ? 'held' : 'down'
    const isUnreachable = UNREACHABLE.has(networkCode)
    const isSure = isUnreachable || SURE_STATUS.has(status ?? 0)
    return { registry, side, kind, retryAfterMs, isSure, isUnreachable }
  }
}

// Who has no credentials, or no token, asks for no image at all.
function isFault({ kind, status, networkCode }: RegistryError): boolean {
  if (status !== undefined) return status === 429 || status >= 500
  return networkCode !== undefined || kind === 'token'
}

/** The registry answered with something that is no manifest, or none that can be copied byte-exact. */
export class UnsupportedManifestError extends RegistryError {
  override readonly name = 'UnsupportedManifestError'
  /** Why not, without what was tried: the reason of the outcome `refused`. */
  readonly reason: string

  constructor(operation: Operation, reason: string) {
    super(`${operation.intent} failed: ${reason}`, {
      disposition: 'permanent',
      content: 'unsupported',
      ...partyOf(operation),
    })
    this.reason = reason
  }
}

/** An answer that came, was understood, and is not what the specification or the request allow. */
export function wrongAnswer(
  operation: Operation,
  what: string,
  failure: Failure = { disposition: 'transient' },
): RegistryError {
  return new RegistryError(`${operation.intent} failed: ${what}`, {
    ...failure,
    ...partyOf(operation),
  })
}

export function partyOf({
  registry: { id, side },
  kind,
}: Operation): Pick<RegistryFailure, 'registry' | 'side' | 'kind'> {
  return { registry: id, side, kind }
}

/** Without user, password and query: upload states and signed object-store links are secrets. */
export function safeUrl(url: URL): string {
  return `${url.origin}${url.pathname}`
}
