import { Readable } from 'node:stream'
import type { RegistryConfig } from '../config/config.ts'
import { discard } from './body.ts'
import { type Challenge, parseChallenge } from './challenge.ts'
import { missingScopes } from './scopes.ts'
import { TokenCache } from './token-cache.ts'
import { basicHeader, type FetchToken } from './tokens.ts'
import type { Exchange, RegistryResponse, Transport } from './transport.ts'

/**
 * Shows one registry what it wants to be shown. What that is, is learnt from the first 401 and
 * remembered; a token that is refused is renewed once; a 401 that comes back is the last word.
 */
export class Authentication {
  readonly #config: RegistryConfig
  readonly #transport: Transport
  readonly #fetchToken: FetchToken
  readonly #tokens = new TokenCache()
  /** Per wanted scopes: what else the registry demanded for them. */
  readonly #demands = new Map<string, readonly string[]>()
  #challenge: Challenge | undefined

  constructor(config: RegistryConfig, transport: Transport, fetchToken: FetchToken) {
    this.#config = config
    this.#transport = transport
    this.#fetchToken = fetchToken
  }

  /**
   * Only the registry's own origin is shown anything: requests to another one, such as an upload
   * location on an object store, are sent as they are. A streamed body is sent once at most.
   */
  async exchange(exchange: Exchange, scopes: readonly string[]): Promise<RegistryResponse> {
    if (exchange.url.origin !== this.#config.url.origin) {
      return await this.#transport.exchange(exchange)
    }
    let shown = await this.#show(scopes, exchange.signal)
    for (let turn = 1; ; turn += 1) {
      const response = await this.#transport.exchange(withAuthorization(exchange, shown))
      if (response.status !== 401 || turn === MAX_TURNS) return response
      const next = await this.#afterRefusal(response, shown, { ...exchange, scopes })
      if (next === undefined) return response
      discard(response.body)
      shown = next
    }
  }

  /** What to show after a 401; nothing when there is nothing better. */
  async #afterRefusal(
    response: RegistryResponse,
    shown: Shown | undefined,
    { body, scopes, signal }: Exchange & { readonly scopes: readonly string[] },
  ): Promise<Shown | undefined> {
    const news = this.#learn(response.header('www-authenticate'), shown, scopes)
    shown?.drop?.()
    if (body instanceof Readable || (shown?.best === true && !news)) return undefined
    try {
      return await this.#show(scopes, signal)
    } catch (error) {
      response.body.destroy()
      throw error
    }
  }

  async #show(scopes: readonly string[], signal: AbortSignal): Promise<Shown | undefined> {
    const challenge = this.#challenge
    if (challenge === undefined) return undefined
    if (challenge.kind === 'basic') {
      const { authorization } = basicHeader(this.#config)
      return authorization === undefined ? undefined : { authorization, best: true }
    }
    const all = [...scopes, ...(this.#demands.get(scopes.join(' ')) ?? [])]
    const key = [challenge.realm, challenge.service ?? '', ...all].join(' ')
    const fetch = () => this.#fetchToken(challenge, all)
    const { value, fresh } = await this.#tokens.get(key, fetch, signal)
    const drop = () => {
      this.#tokens.drop(key, value)
    }
    return { authorization: `Bearer ${value}`, best: fresh, drop }
  }

  /** True when the 401 told something that makes another try worth while. */
  #learn(header: string | undefined, shown: Shown | undefined, scopes: readonly string[]): boolean {
    const told = parseChallenge(header)
    const known = this.#challenge
    if (told === undefined) return false
    // Harbor answers whatever carries an insufficient Authorization with a Basic challenge: what it
    // asked for first is what counts.
    if (told.kind === 'basic' && known?.kind === 'bearer' && shown !== undefined) return false
    this.#challenge = told
    const demanded = told.kind === 'bearer' && this.#demand(scopes, told.scopes)
    return demanded || told.kind !== known?.kind
  }

  #demand(scopes: readonly string[], challenged: readonly string[]): boolean {
    const key = scopes.join(' ')
    const more = missingScopes([...scopes, ...(this.#demands.get(key) ?? [])], challenged)
    if (more.length === 0) return false
    if (this.#demands.size >= MAX_DEMANDS) this.#demands.clear()
    this.#demands.set(key, more)
    return true
  }
}

interface Shown {
  readonly authorization: string
  /** There is nothing better to show, so a 401 to it stands. */
  readonly best: boolean
  readonly drop?: () => void
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
