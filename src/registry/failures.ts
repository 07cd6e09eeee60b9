import { classify } from './classification.ts'
import { STALLED } from './coded-error.ts'
import type { ErrorBody } from './error-body.ts'
import { partyOf, RegistryError, safeUrl } from './errors.ts'
import { codeOf, explain, messageOf } from './network-faults.ts'
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
  const { disposition, told, advice } = explain(code, cause)
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

function message({ operation, method, url }: Asked, what: string, advice?: string): string {
  const fact = `${operation.intent} failed: ${method} ${safeUrl(url)} ${what}.`
  return advice === undefined ? fact : `${fact} ${advice}`
}
