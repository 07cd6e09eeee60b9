import { unlessAborted } from '../../waiting/aborting.ts'

export interface Token {
  readonly value: string
  /** On the clock of `performance.now()`. */
  readonly expiresAt: number
  /** The scopes that were asked for and that it does not allow; undefined where it does not tell. */
  readonly lacks: readonly string[] | undefined
}

/** A token for one request, and whether it was made for it: another one would be no better then. */
export interface Grant {
  readonly value: string
  readonly fresh: boolean
  readonly lacks: readonly string[] | undefined
}

// One per repository and kind of access; a registry with more gets its tokens more often.
const MAX_TOKENS = 2_000

/**
 * The tokens of one registry. Whoever wants the same token while it is being fetched waits for the
 * one request; the one who began may go away without harm to the others.
 */
export class TokenCache {
  readonly #tokens = new Map<string, Token>()
  readonly #inFlight = new Map<string, Promise<Token>>()

  async get(key: string, fetch: () => Promise<Token>, signal: AbortSignal): Promise<Grant> {
    const kept = this.#tokens.get(key)
    if (kept !== undefined && kept.expiresAt > performance.now()) {
      return { value: kept.value, fresh: false, lacks: kept.lacks }
    }
    const running = this.#inFlight.get(key)
    const token = await unlessAborted(running ?? this.#start(key, fetch), signal)
    return { value: token.value, fresh: running === undefined, lacks: token.lacks }
  }

  /** Forgets a token that was refused, unless a newer one has taken its place. */
  drop(key: string, value: string): void {
    if (this.#tokens.get(key)?.value === value) this.#tokens.delete(key)
  }

  #start(key: string, fetch: () => Promise<Token>): Promise<Token> {
    const fetching = fetch()
      .then((token) => {
        this.#keep(key, token)
        return token
      })
      .finally(() => this.#inFlight.delete(key))
    this.#inFlight.set(key, fetching)
    // Nobody may be left to wait for it.
    fetching.catch(() => undefined)
    return fetching
  }

  #keep(key: string, token: Token): void {
    this.#tokens.delete(key)
    this.#tokens.set(key, token)
    const [oldest] = this.#tokens.keys()
    if (this.#tokens.size > MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest)
  }
}
