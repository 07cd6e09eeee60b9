import type { RawHeaders } from '../framing/forwarded-headers.ts'

/** What is asked of the local registry, in a client's name. */
export interface ForwardedRequest {
  readonly method: string
  /** As the client wrote it, with the query. */
  readonly path: string
  readonly headers: RawHeaders
}
