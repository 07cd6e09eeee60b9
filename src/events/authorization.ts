import { type Delivery } from './delivery.ts'

/** What an `Authorization` header can hold; RFC 9110 §11.4: the scheme's case does not matter. */
export interface Authorization {
  /** The whole header value; empty when there is none. */
  readonly verbatim: string
  readonly bearer?: string
  /** Of Basic credentials, RFC 7617; the user name is the sender's own business. */
  readonly password?: string
}

export function authorizationOf({ headers }: Delivery): Authorization {
  const verbatim = headers['authorization']?.trim() ?? ''
  const [, scheme = '', credentials = ''] = /^(\S+) +(\S.*)$/.exec(verbatim) ?? []
  switch (scheme.toLowerCase()) {
    case 'bearer':
      return { verbatim, bearer: credentials }
    case 'basic':
      return { verbatim, password: passwordOf(credentials) }
    default:
      return { verbatim }
  }
}

/** What the sender offers as the secret when it authenticates with Bearer or Basic. */
export function bearerOrPassword({ bearer, password }: Authorization): string[] {
  return [bearer, password].filter((text) => text !== undefined)
}

function passwordOf(credentials: string): string {
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon === -1 ? '' : text.slice(colon + 1)
}
