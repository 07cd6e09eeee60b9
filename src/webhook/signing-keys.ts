import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from 'jose'
import { messageOf } from '../thrown.ts'

// Google announces a new key days before it signs with it; a key that is not known is asked for at once.
const KEPT_FOR_MS = 3_600_000
const TIMEOUT_MS = 3_000
const MAX_BYTES = 256 * 1024
// Tokens that nobody can judge must not become as many requests.
const FAILED_FOR_MS = 2_000

/** The keys could not be had, so a token is neither right nor wrong. */
export class SigningKeysUnavailableError extends Error {
  constructor(url: string, cause: unknown) {
    const reason = messageOf(cause)
    super(`no signing keys from ${url}: ${reason}; pullsync must be able to reach that address`, {
      cause,
    })
    this.name = 'SigningKeysUnavailableError'
  }
}

/** The public keys of token issuers, fetched when first needed and kept for an hour. */
export class SigningKeys {
  readonly #sets = new Map<string, JWTVerifyGetKey>()

  /** Gives keys, or rejects with SigningKeysUnavailableError; a key that is not there is a JOSEError. */
  publishedAt(url: URL): JWTVerifyGetKey {
    const known = this.#sets.get(url.href)
    if (known !== undefined) return known
    const keys = keySet(url)
    this.#sets.set(url.href, keys)
    return keys
  }
}

function keySet(url: URL): JWTVerifyGetKey {
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: TIMEOUT_MS,
    cacheMaxAge: KEPT_FOR_MS,
    [customFetch]: rememberingFailures(fetchBounded),
  })
  return async (header, token) => {
    try {
      return await remote(header, token)
    } catch (cause) {
      throw isAboutTheToken(cause) ? cause : new SigningKeysUnavailableError(url.href, cause)
    }
  }
}

function isAboutTheToken(error: unknown): boolean {
  return (
    error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys
  )
}

function rememberingFailures(fetchKeys: FetchImplementation): FetchImplementation {
  let failure: { readonly error: unknown; readonly atMs: number } | undefined
  return async (url, init) => {
    if (failure !== undefined && performance.now() - failure.atMs < FAILED_FOR_MS) {
      throw failure.error
    }
    try {
      return await fetchKeys(url, init)
    } catch (error) {
      failure = { error, atMs: performance.now() }
      throw error
    }
  }
}

async function fetchBounded(...[url, init]: Parameters<FetchImplementation>): Promise<Response> {
  const response = await fetch(url, init)
  if (!response.ok) throw new Error(`status ${response.status}`)
  const chunks: Uint8Array[] = []
  let length = 0
  const body: AsyncIterable<Uint8Array> = response.body ?? new Blob([]).stream()
  for await (const chunk of body) {
    length += chunk.byteLength
    if (length > MAX_BYTES) throw new RangeError(`the answer is larger than ${MAX_BYTES} bytes`)
    chunks.push(chunk)
  }
  return new Response(Buffer.concat(chunks))
}
