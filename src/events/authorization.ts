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

function userAndPassword(credentials: string): { username: string; password: string } {
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const [username = ''] = text.split(':', 1)
  return { username, password: text.slice(username.length + 1) }
}
