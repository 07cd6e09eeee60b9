import type { Disposition } from '../replication/errors.ts'
import { classify } from './classification.ts'
import { type ErrorBody, oneLine } from './error-body.ts'
import { partyOf, RegistryError, safeUrl } from './errors.ts'
import type { RegistryIdentity } from './identity.ts'
import type { Operation } from './operation.ts'

/** One request as it stands in messages. */
export interface Asked {
  readonly operation: Operation
  readonly method: string
  readonly url: URL
}

export interface Answer {
  readonly status: number
  readonly body: ErrorBody
  readonly retryAfterMs?: number
  /** What the token that was shown does not allow although it was asked for. */
  readonly lacks?: readonly string[]
}

/** The error for an answer whose status was not among the expected ones. */
export function statusFailure(asked: Asked, answer: Answer): RegistryError {
  const { status, body, retryAfterMs } = answer
  const { advice, ...failure } = classify(status, body, asked.operation)
  const codes = body.codes.length > 0 ? ` ${body.codes.join(' ')}` : ''
  const text = body.text === '' ? '' : ` (${body.text})`
  const answered = `answered ${status}${codes}${text}${grantedLess(answer)}`
  return new RegistryError(message(asked, answered, advice), {
    ...failure,
    status,
    codes: body.codes,
    ...partyOf(asked.operation),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

// Of any other refusal the token is not the reason.
function grantedLess({ status, lacks = [] }: Answer): string {
  if (lacks.length === 0 || (status !== 401 && status !== 403)) return ''
  return `; the token service had granted less than ${lacks.join(' ')}`
}

/** The error for a request that got no answer, or an answer whose body broke off. */
export function networkFailure(asked: Asked, cause: unknown): RegistryError {
  const code = codeOf(cause)
  const explanation = EXPLANATIONS.find(({ codes }) => codes.includes(code))
  const { disposition = 'transient', advice } = explanation ?? {}
  const told = `${messageOf(cause)}${messageOf(cause).includes(code) ? '' : ` (${code})`}`
  const where = asked.url.port === '' ? asked.url.hostname : asked.url.host
  const what = `got no answer from ${where}: ${told}`
  return new RegistryError(message(asked, what, advice?.(asked.operation.registry)), {
    disposition,
    networkCode: code,
    cause,
    ...partyOf(asked.operation),
  })
}

/** A body that stopped although its headers had come. */
export function brokenBody(asked: Asked, cause: unknown): RegistryError {
  const told = codeOf(cause) === STALLED ? messageOf(cause) : `the connection broke off`
  const what = `answered, but not to the end: ${told} (${codeOf(cause)})`
  return new RegistryError(message(asked, what, undefined), {
    disposition: 'transient',
    networkCode: codeOf(cause),
    cause,
    ...partyOf(asked.operation),
  })
}

/** The `code` of the error that a stall makes. */
export const STALLED = 'STALLED'
/** The `code` of what was under way, or begun, when the client was closed. */
export const CLOSED = 'CLOSED'
/** The `code` of the error that the host guard makes. */
export const FORBIDDEN_HOST = 'FORBIDDEN_HOST'

/** Something that carries a `code` as the errors of Node's network do. */
export class CodedError extends Error {
  override readonly name = 'CodedError'
  readonly code: string

  constructor(code: string, text: string) {
    super(text)
    this.code = code
  }
}

interface Explanation {
  readonly codes: readonly string[]
  readonly disposition: Disposition
  readonly advice: (registry: RegistryIdentity) => string
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    codes: [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'CERT_UNTRUSTED',
      'CERT_SIGNATURE_FAILURE',
      'INVALID_CA',
    ],
    disposition: 'permanent',
    advice: (at) =>
      `The certificate is not signed by an authority known here: put the authority's PEM file into ${at.keys}.caFile.`,
  },
  {
    codes: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    disposition: 'permanent',
    advice: () => "Renew the server's certificate, or set the clock here.",
  },
  {
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    disposition: 'permanent',
    advice: (at) =>
      `The certificate is for another name: write one of its names in ${at.keys}.url.`,
  },
  {
    // OpenSSL's words for a server that answers a TLS handshake in plain http.
    codes: ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'EPROTO'],
    disposition: 'permanent',
    advice: (at) =>
      `The server does not speak TLS: if it is meant to be plain http, write http:// in ${at.keys}.url and ${at.keys}.insecure: true.`,
  },
  {
    codes: [FORBIDDEN_HOST],
    disposition: 'permanent',
    advice: (at) => `If this host belongs to the registry, add it to ${at.keys}.trustedHosts.`,
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN'],
    disposition: 'transient',
    advice: (at) =>
      `The name cannot be looked up from here: check ${at.keys}.url and this machine's DNS.`,
  },
  {
    codes: ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH'],
    disposition: 'transient',
    advice: (at) => `Check the network and the firewalls between here and ${at.name}.`,
  },
  {
    codes: ['ECONNREFUSED'],
    disposition: 'transient',
    advice: (at) => `Check that the registry runs and that ${at.keys}.url is right.`,
  },
]

function message({ operation, method, url }: Asked, what: string, advice?: string): string {
  const fact = `${operation.intent} failed: ${method} ${safeUrl(url)} ${what}.`
  return advice === undefined ? fact : `${fact} ${advice}`
}

// An attempt on several addresses fails with an AggregateError whose own message is empty.
function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return messageOf(cause.errors[0])
  const text = cause instanceof Error ? oneLine(withoutSourceLines(cause.message)) : ''
  return text === '' ? 'the connection failed' : text
}

// OpenSSL writes addresses and source files around its few plain words.
function withoutSourceLines(message: string): string {
  return /:error:[0-9A-F]+:[^:]*:[^:]*:([^:]+):/.exec(message)?.[1] ?? message
}

function codeOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : ''
  return typeof code === 'string' && code !== '' ? code : 'UNKNOWN'
}
