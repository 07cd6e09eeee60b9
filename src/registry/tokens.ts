import { performance } from 'node:perf_hooks'
import type { RegistryConfig } from '../config/config.ts'
import { readUpTo } from './body.ts'
import type { Challenge } from './challenge.ts'
import { wrongAnswer } from './errors.ts'
import { CodedError, networkFailure } from './failures.ts'
import { bareHost } from './guard.ts'
import type { RegistryIdentity } from './identity.ts'
import { withQuery } from './links.ts'
import type { Operation } from './operation.ts'
import { createSend, type Send } from './request.ts'
import { idempotent, type RetryOptions } from './retry.ts'
import type { Token } from './token-cache.ts'
import type { Transport } from './transport.ts'

/** Where tokens are and whom they are for. */
export type BearerChallenge = Extract<Challenge, { kind: 'bearer' }>

/**
 * Fetches one token. It may be for many callers, so it takes none of their signals; its own limit is
 * half a minute. Throws a RegistryError.
 */
export type FetchToken = (challenge: BearerChallenge, scopes: readonly string[]) => Promise<Token>

// Tokens that list a hundred repositories with all their actions are around 16 KiB.
const MAX_TOKEN_BYTES = 128 * 1024
const TOKEN_TIMEOUT_MS = 30_000
// "For compatibility with older clients": the token specification's default.
const DEFAULT_EXPIRY_S = 60

export function tokenFetcher(
  config: RegistryConfig,
  identity: RegistryIdentity,
  transport: Transport,
  retries: RetryOptions,
): FetchToken {
  const send = createSend({ atHome: transport.exchange, elsewhere: transport.exchange }, retries)
  const sendWithPassword = createSend(
    {
      atHome: (exchange) =>
        transport.exchange({
          ...exchange,
          headers: { ...exchange.headers, ...basicHeader(config) },
        }),
      elsewhere: transport.exchange,
    },
    retries,
  )
  return async (challenge, scopes) => {
    const operation = operationOf(identity, scopes)
    const realm = realmOf(challenge, config, operation)
    const url = tokenUrl(realm, challenge.service, scopes)
    return await fetchToken(config.username === undefined ? send : sendWithPassword, url, operation)
  }
}

/** The Authorization header of RFC 7617, or nothing when no credentials are configured. */
export function basicHeader({ username, password }: RegistryConfig): Record<string, string> {
  if (username === undefined) return {}
  const pair = Buffer.from(`${username}:${password ?? ''}`, 'utf8').toString('base64')
  return { authorization: `Basic ${pair}` }
}

function operationOf(registry: RegistryIdentity, scopes: readonly string[]): Operation {
  const what = scopes.length === 0 ? '' : ` for ${scopes.join(' ')}`
  return { registry, kind: 'token', intent: `get a token${what} of ${registry.name}` }
}

function realmOf({ realm }: BearerChallenge, config: RegistryConfig, operation: Operation): URL {
  const base = config.url.href
  if (!URL.canParse(realm, base)) {
    throw wrongAnswer(operation, 'the registry names a token service that is no address.', {
      disposition: 'permanent',
    })
  }
  const url = new URL(realm, base)
  url.username = ''
  url.password = ''
  url.hash = ''
  if (config.username !== undefined && !mayHaveCredentials(url, config)) {
    throw wrongAnswer(
      operation,
      `the registry sends us for a token to ${url.origin}, where credentials would be sent in the clear and are not. Have the registry name an https:// address for its token service.`,
      { disposition: 'permanent' },
    )
  }
  return url
}

// Plain http only where the registry itself is spoken with in plain http, on its own host or a trusted one.
function mayHaveCredentials(realm: URL, config: RegistryConfig): boolean {
  if (realm.protocol === 'https:') return true
  const homes = [config.url.hostname, ...config.trustedHosts].map(bareHost)
  return config.url.protocol === 'http:' && homes.includes(bareHost(realm.hostname))
}

function tokenUrl(realm: URL, service: string | undefined, scopes: readonly string[]): URL {
  const withService = withQuery(realm, service === undefined ? {} : { service })
  return scopes.reduce((url, scope) => withQuery(url, { scope }), withService)
}

async function fetchToken(send: Send, url: URL, operation: Operation): Promise<Token> {
  const asked = { operation, method: 'GET', url }
  const signal = AbortSignal.timeout(TOKEN_TIMEOUT_MS)
  const askedAt = performance.now()
  try {
    const response = await send({
      ...asked,
      headers: { accept: 'application/json' },
      scopes: [],
      expect: [200],
      repeatable: idempotent,
      signal,
    })
    const { bytes, complete } = await readUpTo(MAX_TOKEN_BYTES, response.body)
    if (!complete)
      throw wrongAnswer(operation, `the token is larger than ${MAX_TOKEN_BYTES} bytes.`)
    return parseToken(bytes, askedAt, operation)
  } catch (error) {
    if (!signal.aborted) throw error
    const late = `no token came within ${TOKEN_TIMEOUT_MS / 1000} s`
    throw networkFailure(asked, new CodedError('ETIMEDOUT', late))
  }
}

function parseToken(bytes: Buffer, askedAt: number, operation: Operation): Token {
  const { token, access_token: accessToken, expires_in: expiresIn } = parseObject(bytes)
  const value = [token, accessToken].find((text) => typeof text === 'string' && text !== '')
  // What is not visible ASCII could not be sent in a header.
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value)) {
    throw wrongAnswer(operation, 'the token service answered 200 without a usable token.')
  }
  const seconds = typeof expiresIn === 'number' && expiresIn > 0 ? expiresIn : DEFAULT_EXPIRY_S
  // Counted from before it was asked for and ended early, so that no request arrives with a dead one.
  const margin = Math.min(10, seconds / 5)
  return { value, expiresAt: askedAt + (seconds - margin) * 1000 }
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof json === 'object' && json !== null ? { ...json } : {}
  } catch {
    return {}
  }
}
