import type { RegistryConfig } from '../config/config.ts'
import type { Repository } from '../oci/reference.ts'
import { Authentication } from './authentication.ts'
import { checkRegistry } from './check.ts'
import { ChunkBuffers } from './chunk-buffers.ts'
import { openCredentials } from './credentials/open-credentials.ts'
import { identityOf } from './identity.ts'
import { linksOf } from './links.ts'
import { listRepositories } from './names.ts'
import { proxyFromEnvironment } from './proxy-environment.ts'
import { parseRateLimit, type RateLimit } from './rate-limit.ts'
import { RegistryRepository } from './repository.ts'
import { createSend, type Exchangers } from './request.ts'
import { RETRIES, type RetryOptions } from './retry.ts'
import { type Learned, openSession } from './session.ts'
import { tokenAsker } from './token-request.ts'
import { tokenFetcher } from './tokens.ts'
import { createTransport } from './transport.ts'
import { Turns } from './turns.ts'

/** One registry. Its connections and tokens are shared by all that is done there; one per process. */
export interface Registry extends AsyncDisposable {
  /** `local` or the upstream's id. */
  readonly id: string
  /** One repository, to read and to write. */
  repository(name: Repository): RegistryRepository
  /** Every repository, page by page; undefined where it tells nobody, or not this account. */
  repositories(signal: AbortSignal): Promise<AsyncIterable<readonly Repository[]> | undefined>
  /** What its latest answer with such headers said of its limit; undefined while there was none. */
  rateLimit(): RateLimit | undefined
  /**
   * Resolves when the registry answers and takes the configured credentials, else throws a
   * RegistryError that says what to do.
   */
  check(signal: AbortSignal): Promise<void>
}

export interface RegistryOptions {
  /** Sent with every request; sources of events recognise pullsync's own doings by it. */
  readonly userAgent: string
  /** The longest time in which no byte moves either way, in milliseconds; 60,000 unless told. */
  readonly stallTimeoutMs?: number
  /** How often and after which pauses a single request is tried. */
  readonly requestRetries?: Partial<RetryOptions>
  /** Whose `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count; those of the process unless told. */
  readonly env?: NodeJS.ProcessEnv
  /** Called with each of its answers that tells its limit, a refusal with 429 too. Must not throw. */
  readonly onRateLimit?: (rateLimit: RateLimit) => void
}

// Registries on object stores take up to half of this before the first byte of a large blob.
const STALL_TIMEOUT_MS = 60_000

// What lies there is lost with the process, and its memory. Five chunks, or the beginnings of long ones. With
// eight, one large image was copied no faster.
const CHUNK_MEMORY = 20 * 1024 * 1024
// distribution hashes and writes an upload on one core, at 140 MB/s here: one at a time takes half as long
// again as several. Each one more is one more upload that the death of this process can cost.
const CHUNKS_AT_ONCE = 3

/** Speaks with nobody until asked to. */
export function openRegistry(config: RegistryConfig, options: RegistryOptions): Registry {
  const identity = identityOf(config)
  const links = linksOf(config.url)
  const retries = { ...RETRIES, ...options.requestRetries }
  const { userAgent, stallTimeoutMs = STALL_TIMEOUT_MS } = options
  const proxyFor = proxyFromEnvironment(options.env ?? process.env)
  const transport = createTransport(config, {
    userAgent,
    stallTimeoutMs,
    proxyFor,
  })
  const ask = tokenAsker(transport, retries)
  const credentials = openCredentials({ config, identity, ask, proxyFor })
  const fetchToken = tokenFetcher({ config, identity, credentials, ask })
  const parts = { config, identity, transport, credentials, fetchToken }
  const authentication = new Authentication(parts)
  const elsewhere = transport.exchange
  let rateLimit: RateLimit | undefined
  const atHome: Exchangers['atHome'] = async (exchange, scopes) => {
    const response = await authentication.exchange(exchange, scopes)
    // An object store's limit is not the registry's.
    if (response.url.origin !== config.url.origin) return response
    const told = parseRateLimit(response.header)
    if (told !== undefined) options.onRateLimit?.(told)
    rateLimit = told ?? rateLimit
    return response
  }
  const send = createSend({ atHome, elsewhere }, retries)
  const sendPlain = createSend({ atHome: elsewhere, elsewhere }, retries)
  const learned: Learned = {
    takesNoChunksUntil: 0,
    refusesSparseIndexesUntil: 0,
    noReferrersApiUntil: 0,
    hasReferrersApi: false,
  }
  const chunks = {
    buffers: new ChunkBuffers(CHUNK_MEMORY),
    turns: new Turns(CHUNKS_AT_ONCE),
  }
  const session = { identity, links, send, learned, chunks }
  return {
    id: config.id,
    repository: (name) => new RegistryRepository(openSession(session, name)),
    repositories: (signal) => listRepositories(session, signal),
    rateLimit: () => rateLimit,
    check: async (signal) => {
      await checkRegistry({ identity, links, sendPlain, send, credentials }, signal)
    },
    [Symbol.asyncDispose]() {
      credentials.close()
      transport.close()
      return Promise.resolve()
    },
  }
}
