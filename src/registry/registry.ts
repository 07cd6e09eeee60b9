import type { RegistryConfig } from '../config/config.ts'
import type { Repository } from '../oci/reference.ts'
import { Authentication } from './auth/authentication.ts'
import { checkRegistry } from './check.ts'
import { openCredentials } from './credentials/open-credentials.ts'
import { identityOf } from './words/identity.ts'
import { linksOf } from './words/links.ts'
import { RANGES, type RangeLimits } from './content/ranged-blob.ts'
import { listRepositories } from './content/catalog.ts'
import { type AskHarbor, harborAsker } from './harbor/ask-harbor.ts'
import { proxyFromEnvironment } from './network/proxy-environment.ts'
import { parseRateLimit, type RateLimit } from './rate-limit.ts'
import { RegistryRepository } from './repository.ts'
import { createSend, type Exchangers } from './transport/request.ts'
import { RETRIES, type RetryOptions } from './transport/retry.ts'
import { type Learned, openSession } from './session.ts'
import type { UploadRecords } from './words/upload-records.ts'
import { tokenAsker } from './transport/token-request.ts'
import { tokenFetcher } from './auth/tokens.ts'
import { ReferrersApis } from './words/referrers-apis.ts'
import { createTransport } from './transport/transport.ts'

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
  /** Harbor's own API, beside the registry's, as the same account; only where it is Harbor. */
  readonly askHarbor: AskHarbor
  /** What it wants to be shown is learnt anew. */
  forgetChallenge(): void
}

export interface RegistryOptions {
  /** Sent with every request; sources of events recognise pullsync's own doings by it. */
  readonly userAgent: string
  /** The longest time in which no byte moves either way, in milliseconds; 60,000 unless told. */
  readonly stallTimeoutMs?: number
  /** The same for what is brief: manifests, tokens, small blobs; 10,000 unless told. */
  readonly briefStallMs?: number
  /** How often and after which pauses a single request is tried. */
  readonly requestRetries?: Partial<RetryOptions>
  readonly uploads?: UploadRecords
  /** When large blobs come in parts. */
  readonly ranges?: Partial<RangeLimits>
  /** Whose `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count; those of the process unless told. */
  readonly env?: NodeJS.ProcessEnv
  /** Called with each of its answers that tells its limit, a refusal with 429 too. Must not throw. */
  readonly onRateLimit?: (rateLimit: RateLimit) => void
}

// Registries on object stores take up to half of this before the first byte of a large blob.
const STALL_TIMEOUT_MS = 60_000
// Ten times what slow ones usually take. Where they take longer, the limit grows by itself.
const BRIEF_STALL_MS = 10_000

/** Speaks with nobody until asked to. */
export function openRegistry(config: RegistryConfig, options: RegistryOptions): Registry {
  const identity = identityOf(config)
  const links = linksOf(config.url)
  const retries = { ...RETRIES, ...options.requestRetries }
  const { userAgent, stallTimeoutMs = STALL_TIMEOUT_MS, briefStallMs = BRIEF_STALL_MS } = options
  const proxyFor = proxyFromEnvironment(options.env ?? process.env)
  const transport = createTransport(config, {
    ...{ userAgent, proxyFor },
    ...{ stallTimeoutMs, briefStallMs },
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
    const limit = parseRateLimit(response.header)
    if (limit !== undefined) options.onRateLimit?.(limit)
    rateLimit = limit ?? rateLimit
    return response
  }
  const send = createSend({ atHome, elsewhere }, retries)
  const sendPlain = createSend({ atHome: elsewhere, elsewhere }, retries)
  const learned = nothingLearned()
  const check = (signal: AbortSignal) =>
    checkRegistry({ identity, links, sendPlain, send, credentials }, signal)
  const origin = config.url.origin
  const askHarbor = harborAsker({ identity, origin, credentials, send: sendPlain })
  const proven = { prove: onceInAWhile(check), askHarbor }
  const ranges = { ...RANGES, ...options.ranges }
  const session = { identity, links, send, ranges, learned, ...proven, ...uploadsOf(options) }
  return {
    id: config.id,
    repository: (name) => new RegistryRepository(openSession(session, name)),
    repositories: (signal) => listRepositories(session, signal),
    rateLimit: () => rateLimit,
    check,
    askHarbor,
    forgetChallenge: () => {
      authentication.forget()
    },
    [Symbol.asyncDispose]() {
      credentials.close()
      transport.close()
      return Promise.resolve()
    },
  }
}

function nothingLearned(): Learned {
  return {
    takesNoPatchUntil: 0,
    takesNoPartsUntil: 0,
    mountsNothingUntil: 0,
    refusesSparseIndexesUntil: 0,
    referrersApis: new ReferrersApis(),
    rights: new Map(),
    takesNoHeadUntil: 0,
  }
}

function uploadsOf({ uploads }: RegistryOptions) {
  return uploads === undefined ? {} : { uploads }
}

// Of a password that is taken away, so long a refusal may pass for a missing image.
const PROVEN_MS = 15_000

/** What has resolved lately resolves at once. */
function onceInAWhile(check: (signal: AbortSignal) => Promise<void>) {
  let provenUntil = 0
  return async (signal: AbortSignal): Promise<void> => {
    if (Date.now() < provenUntil) return
    await check(signal)
    provenUntil = Date.now() + PROVEN_MS
  }
}
