import { performance } from 'node:perf_hooks'
import type { RegistryConfig } from '../../config/config.ts'
import type { Challenge } from './challenge.ts'
import type { CredentialStore } from '../credentials/credential-store.ts'
import { basicAuthorization, type Credentials } from '../words/credentials.ts'
import { RegistryError } from '../errors/registry-error.ts'
import { CodedError } from '../words/coded-error.ts'
import { networkFailure } from '../errors/failures.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import { withQuery } from '../words/links.ts'
import type { Operation } from '../words/operation.ts'
import { parseTokenAnswer } from './token-answer.ts'
import type { Token } from './token-cache.ts'
import { realmOf } from './token-realm.ts'
import type { AskToken, TokenQuestion } from '../transport/token-request.ts'

/** Where tokens are and whom they are for. */
export type BearerChallenge = Extract<Challenge, { kind: 'bearer' }>

/**
 * Fetches one token. It may be for many callers, so it takes none of their signals; its own limit is
 * half a minute. Throws a RegistryError.
 */
export type FetchToken = (challenge: BearerChallenge, scopes: readonly string[]) => Promise<Token>

export interface TokenParts {
  readonly config: RegistryConfig
  readonly identity: RegistryIdentity
  readonly credentials: CredentialStore
  readonly ask: AskToken
}

const TOKEN_TIMEOUT_MS = 30_000
// OAuth2 wants clients to have a name.
const CLIENT_ID = 'pullsync'

export function tokenFetcher(parts: TokenParts): FetchToken {
  /** Token services that take passwords by POST only. */
  const posting = new Set<string>()
  return async (challenge, scopes) => {
    const wanted: TokenQuery = {
      challenge,
      scopes,
      operation: operationOf(parts.identity, scopes),
      signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
    }
    try {
      return await withCredentials(parts.credentials, wanted.signal, (credentials) =>
        fetchToken(parts, wanted, credentials, posting),
      )
    } catch (error) {
      if (!wanted.signal.aborted) throw error
      const late = `no token came within ${TOKEN_TIMEOUT_MS / 1000} s`
      const url = realmOf(challenge, parts.config, wanted.operation, false)
      const cause = new CodedError('ETIMEDOUT', late)
      throw networkFailure({ operation: wanted.operation, method: 'GET', url }, cause)
    }
  }
}

interface TokenQuery {
  readonly challenge: BearerChallenge
  readonly scopes: readonly string[]
  readonly operation: Operation
  readonly signal: AbortSignal
}

/** Once more with newer credentials, where the ones at hand were refused and there may be any. */
async function withCredentials<T>(
  store: CredentialStore,
  signal: AbortSignal,
  attempt: (credentials: Credentials | undefined) => Promise<T>,
): Promise<T> {
  const known = await store.get(signal)
  try {
    return await attempt(known?.credentials)
  } catch (error) {
    if (known === undefined || known.fresh || !isRefusal(error)) throw error
    store.drop(known.credentials)
  }
  return await attempt((await store.get(signal))?.credentials)
}

// 400: OAuth2's `invalid_grant`.
function isRefusal(error: unknown): boolean {
  return error instanceof RegistryError && [400, 401, 403].includes(error.status ?? 0)
}

function operationOf(registry: RegistryIdentity, scopes: readonly string[]): Operation {
  const what = scopes.length === 0 ? '' : ` for ${scopes.join(' ')}`
  return { registry, kind: 'token', intent: `get a token${what} of ${registry.name}` }
}

async function fetchToken(
  { config, ask }: TokenParts,
  { challenge, scopes, operation, signal }: TokenQuery,
  credentials: Credentials | undefined,
  posting: Set<string>,
): Promise<Token> {
  // The registry itself takes it; it is kept where it comes from.
  if (credentials?.kind === 'access-token') {
    return { value: credentials.token, expiresAt: 0, lacks: undefined }
  }
  const realm = realmOf(challenge, config, operation, credentials !== undefined)
  const askedAt = performance.now()
  const question = { operation, signal }
  const { service } = challenge
  const get = getQuestion(realm, service, scopes, credentials)
  const post = credentials && postQuestion(realm, service, scopes, credentials)
  const answer = await askEither({ ...question, ...get }, post && { ...question, ...post }, {
    ask,
    posting,
    postFirst: credentials?.kind === 'identity-token',
  })
  return parseTokenAnswer(answer, { operation, scopes, askedAt })
}

interface Asking {
  readonly ask: AskToken
  readonly posting: Set<string>
  readonly postFirst: boolean
}

// The way of the token specification is GET; OAuth2's is POST, and some services have that only.
async function askEither(
  get: TokenQuestion,
  post: TokenQuestion | undefined,
  { ask, posting, postFirst }: Asking,
): Promise<Readonly<Record<string, unknown>>> {
  if (post === undefined) return await ask(get)
  const place = post.url.href
  if (postFirst || posting.has(place)) return await ask(post)
  try {
    return await ask(get)
  } catch (error) {
    if (!(error instanceof RegistryError) || !GET_UNKNOWN.has(error.status ?? 0)) throw error
  }
  const answer = await ask(post)
  posting.add(place)
  return answer
}

const GET_UNKNOWN = new Set([404, 405])

function getQuestion(
  realm: URL,
  service: string | undefined,
  scopes: readonly string[],
  credentials: Credentials | undefined,
): Pick<TokenQuestion, 'url' | 'authorization'> {
  const withService = withQuery(realm, service === undefined ? {} : { service })
  const url = scopes.reduce((so, scope) => withQuery(so, { scope }), withService)
  if (credentials?.kind !== 'password') return { url }
  return { url, authorization: basicAuthorization(credentials.username, credentials.password) }
}

// The distribution project's "Token Authentication Specification", OAuth2.
function postQuestion(
  url: URL,
  service: string | undefined,
  scopes: readonly string[],
  credentials: Credentials,
): Pick<TokenQuestion, 'url' | 'form'> {
  const grant =
    credentials.kind === 'password'
      ? { grant_type: 'password', username: credentials.username, password: credentials.password }
      : { grant_type: 'refresh_token', refresh_token: credentials.token }
  const form = new URLSearchParams({ ...grant, client_id: CLIENT_ID })
  if (service !== undefined) form.set('service', service)
  if (scopes.length > 0) form.set('scope', scopes.join(' '))
  return { url, form }
}
