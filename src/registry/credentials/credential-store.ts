import { unlessAborted } from '../../waiting/aborting.ts'
import { CLOSED, CodedError } from '../words/coded-error.ts'
import type { Credentials, FetchCredentials, FetchedCredentials } from '../words/credentials.ts'

/** Credentials for one request, and whether fetching them again could not bring better ones. */
export interface KnownCredentials {
  readonly credentials: Credentials
  readonly fresh: boolean
}

/** The credentials of one registry. Undefined ones: it is spoken with as a stranger. */
export interface CredentialStore {
  get(signal: AbortSignal): Promise<KnownCredentials | undefined>
  /** Has them fetched again for the next who asks, unless newer ones have taken their place. */
  drop(refused: Credentials): void
  /** Ends what is being fetched. */
  close(): void
}

// However many requests are refused at once, credentials are asked for again once in this time.
const REST_MS = 1_000
// Old ones serve meanwhile: whoever gives them out is not asked by every request.
const REST_AFTER_FAILURE_MS = 60_000
// A helper has ten seconds; clouds may ask several services one after the other.
const FETCH_TIMEOUT_MS = 30_000

/** Credentials that stand in the configuration, or none: there are never better ones. */
export function fixedCredentials(credentials?: Credentials): CredentialStore {
  const known = credentials === undefined ? undefined : { credentials, fresh: true }
  return {
    get: () => Promise.resolve(known),
    drop: () => undefined,
    close: () => undefined,
  }
}

/**
 * Credentials that are fetched when needed. Whoever wants them while they are being fetched waits for
 * the one fetch; the one who began may go away without harm to the others. Those that will end soon
 * are renewed ahead, and nobody waits for that.
 */
export class FetchedCredentialStore implements CredentialStore {
  readonly #fetch: FetchCredentials
  readonly #closing = new AbortController()
  #kept: Kept | undefined
  #running: Promise<Kept> | undefined

  constructor(fetch: FetchCredentials) {
    this.#fetch = fetch
  }

  async get(signal: AbortSignal): Promise<KnownCredentials> {
    const now = performance.now()
    const kept = this.#kept
    if (kept === undefined || kept.validUntil <= now) {
      const { credentials } = await unlessAborted((this.#running ??= this.#start()), signal)
      return { credentials, fresh: true }
    }
    if (kept.renewAt <= now) this.#running ??= this.#start()
    return { credentials: kept.credentials, fresh: kept.fetchedAt + REST_MS > now }
  }

  drop(refused: Credentials): void {
    const kept = this.#kept
    if (kept?.credentials !== refused || kept.fetchedAt + REST_MS > performance.now()) return
    this.#kept = undefined
  }

  close(): void {
    this.#closing.abort(new CodedError(CLOSED, 'the registry was closed here'))
  }

  #start(): Promise<Kept> {
    const limit = AbortSignal.timeout(FETCH_TIMEOUT_MS)
    const signal = AbortSignal.any([this.#closing.signal, limit])
    const fetching = unlessAborted(this.#fetch(signal), signal)
      .then((fetched) => (this.#kept = keep(fetched)))
      .finally(() => (this.#running = undefined))
    // Nobody may be left to wait for it.
    fetching.catch(() => {
      if (this.#kept !== undefined) this.#kept.renewAt = performance.now() + REST_AFTER_FAILURE_MS
    })
    return fetching
  }
}

/** Times are on the clock of `performance.now()`. */
interface Kept {
  readonly credentials: Credentials
  readonly fetchedAt: number
  renewAt: number
  readonly validUntil: number
}

function keep({ credentials, freshForMs, validForMs = freshForMs }: FetchedCredentials): Kept {
  const now = performance.now()
  return { credentials, fetchedAt: now, renewAt: now + freshForMs, validUntil: now + validForMs }
}
