/** The `code` of the error that a stall makes. */
export const STALLED = 'STALLED'
/** The `code` of what was under way, or begun, when the client was closed. */
export const CLOSED = 'CLOSED'
/** The `code` of the error that the host guard makes. */
export const FORBIDDEN_HOST = 'FORBIDDEN_HOST'
/** The `code`s of what goes wrong between here and a registry's answer because of a proxy. */
export const BAD_PROXY = 'BAD_PROXY'
export const PROXY_WANTS_LOGIN = 'PROXY_WANTS_LOGIN'
export const PROXY_REFUSED = 'PROXY_REFUSED'
export const PROXY_FAILED = 'PROXY_FAILED'

/** Something that carries a `code` as the errors of Node's network do. */
export class CodedError extends Error {
  override readonly name = 'CodedError'
  readonly code: string

  constructor(code: string, text: string) {
    super(text)
    this.code = code
  }
}
