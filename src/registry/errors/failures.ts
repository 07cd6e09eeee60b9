import { classify } from './classification.ts'
import { STALLED } from '../words/coded-error.ts'
import type { ErrorBody } from './error-body.ts'
import { partyOf, RegistryError, safeUrl } from './registry-error.ts'
import { codeOf, explain, messageOf } from './network-faults.ts'
import type { Operation } from '../words/operation.ts'

/** One request as it stands in messages. */
export interface RequestIdentity {
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
export function statusFailure(request: RequestIdentity, answer: Answer): RegistryError {
  const { status, body, retryAfterMs } = answer
  const { advice, ...failure } = classify(status, body, request.operation)
  const codes = body.codes.length > 0 ? ` ${body.codes.join(' ')}` : ''
  const text = body.text === '' ? '' : ` (${body.text})`
  const answered = `answered ${status}${codes}${text}${grantedLess(answer)}`
  return new RegistryError(message(request, answered, advice), {
    ...failure,
    status,
    codes: body.codes,
    unknown: body.unknown,
    ...partyOf(request.operation),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  })
}

// Of any other refusal the token is not the reason.
function grantedLess({ status, lacks = [] }: Answer): string {
  if (lacks.length === 0 || (status !== 401 && status !== 403)) return ''
  return `; the token service had granted less than ${lacks.join(' ')}`
}

/** The error for a request that got no answer, or an answer whose body broke off. */
export function networkFailure(request: RequestIdentity, cause: unknown): RegistryError {
  const code = codeOf(cause)
  const { disposition, description, advice } = explain(code, cause, request.url.host)
  const where = request.url.port === '' ? request.url.hostname : request.url.host
  const what = `got no answer from ${where}: ${description}`
  return new RegistryError(message(request, what, advice?.(request.operation.registry)), {
    disposition,
    networkCode: code,
    cause,
    ...partyOf(request.operation),
  })
}

/** A body that stopped although its headers had come. */
export function brokenBody(request: RequestIdentity, cause: unknown): RegistryError {
  const description = codeOf(cause) === STALLED ? messageOf(cause) : `the connection broke off`
  const what = `answered, but not to the end: ${description} (${codeOf(cause)})`
  return new RegistryError(message(request, what, undefined), {
    disposition: 'transient',
    networkCode: codeOf(cause),
    cause,
    ...partyOf(request.operation),
  })
}

function message(
  { operation, method, url }: RequestIdentity,
  what: string,
  advice?: string,
): string {
  const fact = `${operation.intent} failed: ${method} ${safeUrl(url)} ${what}.`
  return advice === undefined ? fact : `${fact} ${advice}`
}
