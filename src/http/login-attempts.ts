import { networkOf } from './limits/client-network.ts'

/** How many wrong logins of one peer are looked at without a pause. */
const FREE_FAILURES = 5
/** After those, one look in so long. */
const PAUSE_MS = 1_000
/** A peer that has not failed for so long starts anew. */
const FORGOTTEN_AFTER_MS = 60_000
/** Beyond it the peer that failed first is forgotten. */
const MAX_PEERS = 1_000

interface Failures {
  count: number
  lastAtMs: number
}

/** Slows down whoever guesses: a few wrong logins are free, then only one in a second is looked at. A network of one client is one peer. */
export class LoginAttempts {
  readonly #failures = new Map<string, Failures>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Whether this peer's login is to be looked at now. */
  mayTry(peer: string): boolean {
    const failures = this.#recent(peer)
    return (
      failures === undefined ||
      failures.count < FREE_FAILURES ||
      this.#now() - failures.lastAtMs >= PAUSE_MS
    )
  }

  failed(peer: string): void {
    const network = networkOf(peer)
    const count = (this.#recent(peer)?.count ?? 0) + 1
    this.#failures.delete(network)
    this.#failures.set(network, { count, lastAtMs: this.#now() })
    if (this.#failures.size <= MAX_PEERS) return
    for (const first of this.#failures.keys()) {
      this.#failures.delete(first)
      return
    }
  }

  succeeded(peer: string): void {
    this.#failures.delete(networkOf(peer))
  }

  #recent(peer: string): Failures | undefined {
    const failures = this.#failures.get(networkOf(peer))
    const isRecent = failures && this.#now() - failures.lastAtMs < FORGOTTEN_AFTER_MS
    return isRecent === true ? failures : undefined
  }
}
