import type { DeliveryHead } from '../delivery.ts'
import { matchesSecret } from './secret.ts'

/** What an `Authorization` header can hold; RFC 9110 §11.4: the scheme's case does not matter. */
export interface Authorization {
  /** The whole header value; empty when there is none. */
  readonly verbatim: string
  readonly bearer?: string
  /** Of Basic credentials, RFC 7617. */
  readonly username?: string
  readonly password?: string
}

export function authorizationOf(header: string | undefined): Authorization {
  const verbatim = header?.trim() ?? ''
  const [, scheme = '', credentials = ''] = /^(\S+) +(\S.*)$/.exec(verbatim) ?? []
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { verbatim, bearer: credentials }
    case 'basic':
      return { verbatim, ...userAndPassword(credentials) }
    default:
      return { verbatim }
  }
}

/** What the sender offers as the secret when it authenticates with Bearer or Basic; the user name is its own business. */
export function bearerOrPassword({ bearer, password }: Authorization): string[] {
  return [bearer, password].filter((text) => text !== undefined)
}

/**
 * For senders that put into `Authorization` what they were told: the bare secret, the secret after
 * Bearer, or as the password of Basic.
 */
export function headerProof({ headers }: DeliveryHead, secrets: readonly string[]): boolean {
  return matchesSecret(inHeader(headers), secrets)
}

/** The same, or the secret at the end of the address, for senders that cannot be told a header. */
export function headerOrPathProof(
  { headers, pathSecret = '' }: DeliveryHead,
  secrets: readonly string[],
): boolean {
  return matchesSecret([pathSecret, ...inHeader(headers)], secrets)
}

/** The same, or the secret alone in `X-Api-Key`, for senders that let you choose the header's name. */
export function apiKeyProof({ headers }: DeliveryHead, secrets: readonly string[]): boolean {
  return matchesSecret([headers['x-api-key'] ?? '', ...inHeader(headers)], secrets)
}

function inHeader(headers: DeliveryHead['headers']): readonly string[] {
  const authorization = authorizationOf(headers['authorization'])
  return [authorization.verbatim, ...bearerOrPassword(authorization)]
}

function userAndPassword(credentials: string): { username: string; password: string } {
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const [username = ''] = text.split(':', 1)
  return { username, password: text.slice(username.length + 1) }
}
