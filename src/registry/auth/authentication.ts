import { Readable } from 'node:stream'
import type { RegistryConfig } from '../../config/config.ts'
import { discard } from '../transport/body.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import type { CredentialStore } from '../credentials/credential-store.ts'
import { basicAuthorization, type Credentials } from '../words/credentials.ts'
import { RegistryError, wrongAnswer } from '../errors/registry-error.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import { missingScopes } from '../words/scopes.ts'
import { TokenCache } from './token-cache.ts'
import type { FetchToken } from './tokens.ts'
import type { Transport } from '../transport/transport.ts'
import type { Exchange, RegistryResponse } from '../transport/exchange.ts'

export interface AuthenticationParts {
  readonly config: RegistryConfig
  readonly identity: RegistryIdentity
  readonly transport: Transport
  readonly credentials: CredentialStore
  readonly fetchToken: FetchToken
}

/**
 * Shows one registry what it wants to be shown. What that is, is learnt from the first 401 and
 * remembered until no token can be had by it; a token that is refused is renewed once; a 401 that
 * comes back is the last word.
 */
export class Authentication {
  readonly #parts: AuthenticationParts
  readonly #tokens = new TokenCache()
  /** Per wanted scopes: what else the registry demanded for them. */
  readonly #demands = new Map<string, readonly string[]>()
  #challenge: Challenge | undefined

  constructor(parts: AuthenticationParts) {
    this.#parts = parts
  }

  /**
   * Only the registry's own origin is shown anything: requests to another one, such as an upload
   * location on an object store, are sent as they are. A streamed body is sent once at most.
   */
  async exchange(exchange: Exchange, scopes: readonly string[]): Promise<RegistryResponse> {
    const { config, transport } = this.#parts
    if (exchange.url.origin !== config.url.origin) return await transport.exchange(exchange)
    const scoped = { ...exchange, scopes }
    const kept = await this.#showKept(scoped)
    const { failed } = kept
    let { shown } = kept
    for (let turn = 1, renewed = false; ; turn += 1) {
      const response = await transport.exchange(withAuthorization(exchange, shown))
      if (response.status !== 401 || turn === MAX_TURNS) return withLacks(response, shown)
      const next = await this.#afterRefusal(response, shown, { ...scoped, renewed, failed })
      if (next === undefined) return withLacks(response, shown)
      discard(response.body)
      renewed ||= shown !== undefined
      shown = next
    }
  }

  /** Learns again from the next 401 what the registry wants. */
  forget(): void {
    this.#challenge = undefined
  }

  /**
   * By what was learnt before. The token service may have moved since, or have been named by one broken
   * answer: where it gives nothing, the registry is asked anew.
   */
  async #showKept(scoped: ScopedExchange): Promise<FirstShown> {
    const kept = this.#challenge
    try {
      return { shown: await this.#show(scoped), failed: undefined }
    } catch (error) {
      if (kept?.kind !== 'bearer' || !(error instanceof RegistryError)) throw error
      if (this.#challenge === kept) this.forget()
      // Sent once at most, and not to be refused for want of a token.
      if (scoped.body instanceof Readable) throw error
      return { shown: undefined, failed: { place: placeOf(kept), error } }
    }
  }

  /** What to show after a 401; nothing when there is nothing better. */
  async #afterRefusal(
    response: RegistryResponse,
    shown: Shown | undefined,
    scoped: ScopedExchange & Tried,
  ): Promise<Shown | undefined> {
    const basic = await this.#basicForLists(response, shown, scoped)
    if (basic !== undefined) return basic
    const news = this.#learn(response.header('www-authenticate'), shown, scoped.scopes)
    shown?.drop()
    const failure = shown === undefined ? failureAt(this.#challenge, scoped) : undefined
    if (failure !== undefined) {
      discard(response.body)
      throw failure
    }
    if (scoped.body instanceof Readable || (isHopeless(shown, scoped) && !news)) return undefined
    try {
      return await this.#show(scoped)
    } catch (error) {
      response.body.destroy()
      throw error
    }
  }

  /** Harbor takes Basic only for the list of its repositories, also of those who have a token. */
  async #basicForLists(
    response: RegistryResponse,
    shown: Shown | undefined,
    scoped: ScopedExchange,
  ): Promise<Shown | undefined> {
    if (!isForLists(scoped.scopes)) return undefined
    if (parseChallenge(response.header('www-authenticate'))?.kind !== 'basic') return undefined
    const basic = await this.#showCredentials(scoped)
    return basic?.authorization === shown?.authorization ? undefined : basic
  }

  async #show(scoped: ScopedExchange): Promise<Shown | undefined> {
    const challenge = this.#challenge
    if (challenge === undefined) return undefined
    return challenge.kind === 'basic'
      ? this.#showCredentials(scoped)
      : this.#showToken(challenge, scoped)
  }

  async #showCredentials({ operation, signal }: ScopedExchange): Promise<Shown | undefined> {
    const { credentials: store, identity } = this.#parts
    const known = await store.get(signal)
    if (known === undefined) return undefined
    const { credentials, fresh } = known
    if (credentials.kind === 'identity-token') {
      const what = `the registry wants a username and a password, and ${identity.credentialKeys} has an identity token, which only token services take.`
      throw wrongAnswer(operation, what, { disposition: 'permanent' })
    }
    const drop = () => {
      store.drop(credentials)
    }
    return { authorization: authorizationOf(credentials), best: fresh, lacks: undefined, drop }
  }

  async #showToken(challenge: BearerChallenge, { scopes, signal }: ScopedExchange): Promise<Shown> {
    const all = [...scopes, ...(this.#demands.get(scopes.join(' ')) ?? [])]
    const key = [challenge.realm, challenge.service ?? '', ...all].join(' ')
    const fetch = () => this.#parts.fetchToken(challenge, all)
    const { value, fresh, lacks } = await this.#tokens.get(key, fetch, signal)
    const drop = () => {
      this.#tokens.drop(key, value)
    }
    // One that is for no repository tells whether the account is taken, and a kept one whether it was.
    if (scopes.length === 0) drop()
    return { authorization: `Bearer ${value}`, best: fresh, lacks, drop }
  }

  /** True when the 401 tells something that makes another try worth while. */
  #learn(header: string | undefined, shown: Shown | undefined, scopes: readonly string[]): boolean {
    const challenge = parseChallenge(header)
    const known = this.#challenge
    if (challenge === undefined) return false
    // Harbor answers whatever carries an insufficient Authorization with a Basic challenge: what it
    // asked for first is what counts.
    if (challenge.kind === 'basic' && known?.kind === 'bearer' && shown !== undefined) return false
    if (challenge.kind === 'basic' && isForLists(scopes)) return false
    this.#challenge = challenge
    const demanded = challenge.kind === 'bearer' && this.#demand(scopes, challenge.scopes)
    return demanded || placeOf(challenge) !== placeOf(known)
  }

  #demand(scopes: readonly string[], challenged: readonly string[]): boolean {
    // A request that is not about content needs none; GHCR names a repository that nobody has.
    if (scopes.length === 0) return false
    const key = scopes.join(' ')
    const more = missingScopes([...scopes, ...(this.#demands.get(key) ?? [])], challenged)
    if (more.length === 0) return false
    if (this.#demands.size >= MAX_DEMANDS) this.#demands.clear()
    this.#demands.set(key, more)
    return true
  }
}

function isForLists([scope = '']: readonly string[]): boolean {
  return scope.startsWith('registry:')
}

/** Whom to ask for what is to be shown. */
function placeOf(challenge: Challenge | undefined): string | undefined {
  return challenge?.kind === 'bearer'
    ? `${challenge.realm} ${challenge.service ?? ''}`
    : challenge?.kind
}

type BearerChallenge = Extract<Challenge, { kind: 'bearer' }>

interface ScopedExchange extends Exchange {
  readonly scopes: readonly string[]
}

interface Tried {
  readonly renewed: boolean
  /** Where no token was to be had before the registry was asked: there it is not asked for again. */
  readonly failed: { readonly place: string | undefined; readonly error: RegistryError } | undefined
}

interface FirstShown extends Pick<Tried, 'failed'> {
  readonly shown: Shown | undefined
}

interface Shown {
  readonly authorization: string
  /** There is nothing better to show, so a 401 to it stands. */
  readonly best: boolean
  /** What the token was wanted for and does not allow; undefined where it does not tell. */
  readonly lacks: readonly string[] | undefined
  readonly drop: () => void
}

// Nothing, a kept token, one with more scopes, a new one.
const MAX_TURNS = 4
// What is forgotten is learnt again from a 401.
const MAX_DEMANDS = 2_000

function withAuthorization(exchange: Exchange, shown: Shown | undefined): Exchange {
  if (shown === undefined) return exchange
  const { authorization } = shown
  return { ...exchange, headers: { ...exchange.headers, authorization } }
}

function failureAt(challenge: Challenge | undefined, { failed }: Tried): RegistryError | undefined {
  return failed?.place === placeOf(challenge) ? failed?.error : undefined
}

// A token service that has given too little may know better a moment later.
function isHopeless(shown: Shown | undefined, { renewed }: Tried): boolean {
  return shown?.best === true && (renewed || (shown.lacks ?? []).length === 0)
}

function withLacks(response: RegistryResponse, shown: Shown | undefined): RegistryResponse {
  return shown?.lacks === undefined ? response : { ...response, lacks: shown.lacks }
}

function authorizationOf(credentials: Exclude<Credentials, { kind: 'identity-token' }>): string {
  return credentials.kind === 'access-token'
    ? `Bearer ${credentials.token}`
    : basicAuthorization(credentials.username, credentials.password)
}
