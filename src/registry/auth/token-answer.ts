import { fieldsOf } from '../../oci/json.ts'
import { wrongAnswer } from '../errors/registry-error.ts'
import { parseJwtClaims } from '../credentials/jwt.ts'
import type { Operation } from '../words/operation.ts'
import { missingScopes } from '../words/scopes.ts'
import type { Token } from './token-cache.ts'

// "For compatibility with older clients": the token specification's default.
const DEFAULT_EXPIRY_S = 60

export interface AskedFor {
  readonly operation: Operation
  readonly scopes: readonly string[]
  /** On the clock of `performance.now()`. */
  readonly askedAt: number
}

/** The token in a token service's answer, old style (`token`) or OAuth2 (`access_token`). */
export function parseTokenAnswer(
  answer: Readonly<Record<string, unknown>>,
  { operation, scopes, askedAt }: AskedFor,
): Token {
  const { token, access_token: accessToken, expires_in: expiresIn } = answer
  const value = [token, accessToken].find((text) => typeof text === 'string' && text !== '')
  // What is not visible ASCII could not be sent in a header.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw wrongAnswer(operation, 'the token service answered 200 without a usable token.')
  }
  const seconds = typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : DEFAULT_EXPIRY_S
  // Counted from before it was asked for and ended early, so that no request arrives with a dead one.
  const margin = Math.min(10, seconds / 5)
  const granted = grantedScopes(answer, value)
  return {
    value,
    expiresAt: askedAt + (seconds - margin) * 1000,
    lacks: granted && missingScopes(granted, scopes),
  }
}

// OAuth2 tells it beside the token; the tokens of the distribution project's specification hold it.
function grantedScopes(
  { scope }: Readonly<Record<string, unknown>>,
  token: string,
): readonly string[] | undefined {
  if (typeof scope === 'string') return scope.split(' ')
  const { access } = parseJwtClaims(token)
  return Array.isArray(access) ? access.map(scopeOfAccess) : undefined
}

function scopeOfAccess(access: unknown): string {
  const { type, name, actions } = fieldsOf(access)
  if (typeof type !== 'string' || typeof name !== 'string') return ''
  return `${type}:${name}:${Array.isArray(actions) ? actions.filter(isText).join(',') : ''}`
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
