/** What proves to a registry, or to its token service, who we are. */
export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** What a token service exchanges for access tokens: an OAuth2 refresh token. */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** What the registry itself takes, without any token service. */
  | { readonly kind: 'access-token'; readonly token: string }

/** Credentials as they came from where they are kept or given out. */
export interface FetchedCredentials {
  readonly credentials: Credentials
  /** After this long they are fetched again. */
  readonly freshForMs: number
  /** So long they serve while they are being fetched again; as long as they are fresh, unless told. */
  readonly validForMs?: number
}

/**
 * Gets credentials from where the configuration says. Takes the signal of nobody in particular, only
 * that of the end and of a limit. Throws a RegistryError that names the configuration's key.
 */
export type FetchCredentials = (signal: AbortSignal) => Promise<FetchedCredentials>

/** A username and password as docker clients keep them: the username `<token>` marks an identity token. */
export function loginOf(username: string, password: string): Credentials {
  return username === '<token>'
    ? { kind: 'identity-token', token: password }
    : { kind: 'password', username, password }
}

/** The Authorization header of RFC 7617. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`
}
