import type { Readable } from 'node:stream'
import type { RequestIdentity } from '../errors/failures.ts'
import type { ProxyFor } from '../network/proxy-environment.ts'

/** One HTTP request: no redirects, no authentication, no second try. */
export interface Exchange extends RequestIdentity {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** A stream without a `content-length` among the headers goes in HTTP chunks, and may end early. */
  readonly body?: Buffer | Readable
  /** What the answer may take beyond a stall's limit, for work that the registry does before it answers. */
  readonly patienceMs?: number
  /** The answer to this GET may be gigabytes. */
  readonly large?: boolean
  /** The answer is a few bytes, or up to a few MiB: a registry that is silent for long does not give it. */
  readonly brief?: boolean
  readonly signal: AbortSignal
}

export interface RegistryResponse {
  readonly status: number
  /** Where it came from, after redirects. */
  readonly url: URL
  readonly header: (name: string) => string | undefined
  /** What was asked of the token service and is not allowed by its token; absent when that is not known. */
  readonly lacks?: readonly string[]
  /** To be read to its end, destroyed, or given to `discard`; see `guardedBody`. */
  readonly body: Readable
}

export interface TransportOptions {
  /** Always sent: Docker Hub answers 403 to requests without one. */
  readonly userAgent: string
  /** The longest time in which no byte moves either way. */
  readonly stallTimeoutMs: number
  /** The same for what is brief, as long as the registry's answers usually take less. */
  readonly briefStallMs: number
  readonly proxyFor: ProxyFor
}
