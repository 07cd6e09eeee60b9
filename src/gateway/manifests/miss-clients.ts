import { createHash } from 'node:crypto'
import { networkOf } from '../../http/limits/client-network.ts'
import type { Forwarded } from '../../http/trusted-proxies.ts'
import type { Repository } from '../../oci/reference.ts'
import { parseJwtClaims } from '../../registry/credentials/jwt.ts'
import { withoutHeaders } from '../framing/forwarded-headers.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import type { LocalRegistry } from '../local/local-registry.ts'

export interface MissClientsDeps {
  readonly addressOf: (request: Forwarded) => string | undefined
  readonly local: () => LocalRegistry
}

interface Known {
  readonly asksWho: Promise<boolean>
  readonly until: number
}

const REMEMBERED_MS = 60_000
const MAX_REMEMBERED = 1_000

/**
 * Tells the clients apart whose misses are counted: by address, and behind one address by the user, where
 * the local registry has let that user in. A name that nobody has checked would make a new client of each request.
 */
export class MissClients {
  readonly #deps: MissClientsDeps
  /** The oldest first. */
  readonly #known = new Map<Repository, Known>()

  constructor(deps: MissClientsDeps) {
    this.#deps = deps
  }

  /** Of a request that the registry has answered with 404. Rejects only when `signal` is aborted. */
  async nameOf(
    request: Forwarded,
    asked: { readonly repository: Repository; readonly forwarded: ForwardedRequest },
    signal: AbortSignal,
  ): Promise<string> {
    const address = networkOf(this.#deps.addressOf(request) ?? '')
    const user = userIn(request.headers['authorization'])
    const isUser = user !== undefined && (await this.#asksWho(asked, signal))
    // Names and addresses are nobody's business who reads a job.
    return createHash('sha256')
      .update(isUser ? `${address} ${user}` : address)
      .digest('base64url')
      .slice(0, 16)
  }

  /** Whether the registry refuses there who shows nothing: then it has checked what this client has shown. */
  async #asksWho(
    { repository, forwarded }: { repository: Repository; forwarded: ForwardedRequest },
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = this.#known.get(repository)
    if (known !== undefined && known.until > performance.now()) return await known.asksWho
    const asksWho = this.#refusesStrangers(forwarded).catch(() => false)
    this.#known.delete(repository)
    this.#known.set(repository, { asksWho, until: performance.now() + REMEMBERED_MS })
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
    const refuses = await asksWho
    signal.throwIfAborted()
    return refuses
  }

  async #refusesStrangers({ path, headers }: ForwardedRequest): Promise<boolean> {
    const stranger = withoutHeaders(headers, ['Authorization', 'Cookie'])
    const answer = await this.#deps
      .local()
      .ask({ method: 'HEAD', path, headers: stranger }, AbortSignal.timeout(WITHIN_MS))
    answer.resume()
    return answer.statusCode === 401
  }
}

const WITHIN_MS = 5_000

/** Who the client says it is; undefined where it does not, or in a way that only the registry understands. */
function userIn(authorization: string | string[] = ''): string | undefined {
  const [, scheme = '', shown = ''] = /^(basic|bearer) +(\S+)$/i.exec(String(authorization)) ?? []
  if (scheme.toLowerCase() === 'basic') {
    return named(Buffer.from(shown, 'base64').toString('utf8').split(':', 1)[0])
  }
  return named(parseJwtClaims(shown)['sub'])
}

// Tokens of strangers have an empty name.
function named(name: unknown): string | undefined {
  return typeof name === 'string' && name !== '' ? name : undefined
}
