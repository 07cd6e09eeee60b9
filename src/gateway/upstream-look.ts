import type { LimitReason } from '../queue/miss-limits.ts'
import type { ContentSource } from '../replication/ports.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import type { Looked } from './misses.ts'

export interface LookOptions {
  /** The repository of an upstream; undefined when the configuration has no such upstream. */
  readonly source: (upstream: string, request: ReplicationRequest) => ContentSource | undefined
  readonly limits: LookLimits
  readonly onError: (upstream: string, error: unknown) => void
}

/** Against those who ask for what upstream does not have. Neither rejects. */
export interface LookLimits {
  /** Why upstream is not to be asked now. */
  check(request: ReplicationRequest): Promise<LimitReason | undefined>
  /** No upstream has it. */
  take(request: ReplicationRequest): void
}

interface Seen {
  readonly head: Promise<Looked>
  until: number
}

// A client that waits for a HEAD waits for nothing more: it was to learn whether there is anything.
const WITHIN_MS = 5_000
const REMEMBERED_MS = { found: 2_000, missing: 30_000, failed: 5_000, limited: 0 }
const MAX_REMEMBERED = 10_000

/**
 * Asks upstream by HEAD what it has. However many clients ask for the same, upstream is asked once;
 * its answer is remembered for seconds, a 404 for as long as the queue remembers one.
 */
export class UpstreamLook {
  readonly #options: LookOptions
  readonly #seen = new Map<string, Seen>()

  constructor(options: LookOptions) {
    this.#options = options
  }

  async head(request: ReplicationRequest): Promise<Looked> {
    const { upstreams, upstreamRepository, reference } = request
    const key = `${upstreams.join()} ${upstreamRepository} ${reference}`
    const known = this.#seen.get(key)
    if (known !== undefined && known.until > performance.now()) return await known.head
    const seen: Seen = {
      head: this.#ask(request, (ms) => {
        this.#keep(key, seen, ms)
      }),
      until: Infinity,
    }
    this.#seen.set(key, seen)
    return await seen.head
  }

  async #ask(request: ReplicationRequest, keepFor: (ms: number) => void): Promise<Looked> {
    const { limits } = this.#options
    const limited = await limits.check(request)
    if (limited !== undefined) {
      keepFor(REMEMBERED_MS.limited)
      return { limited }
    }
    const signal = AbortSignal.timeout(WITHIN_MS)
    for (const upstream of request.upstreams) {
      try {
        const source = this.#options.source(upstream, request)
        const head = await source?.headManifest(request.reference, signal)
        if (head === undefined) continue
        keepFor(REMEMBERED_MS.found)
        return head
      } catch (error) {
        this.#options.onError(upstream, error)
        keepFor(REMEMBERED_MS.failed)
        return undefined
      }
    }
    limits.take(request)
    keepFor(REMEMBERED_MS.missing)
    return undefined
  }

  #keep(key: string, seen: Seen, ms: number): void {
    seen.until = performance.now() + ms
    // The oldest go first, so that a scanner's made-up names do not pile up.
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) break
      if (oldest !== key) this.#seen.delete(oldest)
    }
  }
}
