import type { Hold } from '../../pool/breaker.ts'
import type { Admission, LimitedMiss } from '../../pool/miss-limits.ts'
import type { ContentSource } from '../../replication/ports.ts'
import { ReplicationError } from '../../replication/errors.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import { UPSTREAM_ERROR, whyHeld } from './miss-answer.ts'
import type { Looked } from './misses.ts'

export interface LookOptions {
  /** The repository of an upstream; undefined when the configuration has no such upstream. */
  readonly source: (
    upstream: string,
    request: ReplicationRequest,
  ) => Pick<ContentSource, 'headManifest'> | undefined
  readonly limits: LookLimits
  /** While nobody is to ask that upstream. Never rejects. */
  readonly holdOf: (upstream: string) => Promise<Hold | undefined>
  readonly onError: (upstream: string, error: unknown) => void
}

/** Against those who ask for what upstream does not have. Not one of these rejects. */
export interface LookLimits {
  /** Whether upstream is to be asked now. */
  readonly admit: (miss: LimitedMiss) => Promise<Admission>
  /** No upstream has it. */
  readonly take: (miss: LimitedMiss) => void
  /** Upstream has it, or it was not asked, or did not answer. */
  readonly giveBack: (miss: LimitedMiss) => void
}

interface Seen {
  readonly head: Promise<Looked>
  until: number
}

// A client that waits for a HEAD waits for nothing more: it was to learn whether there is anything.
const WITHIN_MS = 5_000
const REMEMBERED_MS = { found: 2_000, missing: 30_000, failed: 5_000, held: 0 }
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

  /** @param isLimited false: also while the client's bucket is empty */
  async head(request: ReplicationRequest, { isLimited = true } = {}): Promise<Looked> {
    const { upstreams, upstreamRepository, reference } = request
    const key = `${upstreams.join()} ${upstreamRepository} ${reference}`
    const known = this.#known(key)
    if (known !== undefined) return await known.head
    if (!isLimited) return await this.#ask(key, { ...request, unpaid: true })
    // Of this client alone: others that ask for the same may have made no noise.
    const { limited, unpaid } = await this.#options.limits.admit(request)
    if (limited !== undefined) return { limited }
    return await this.#ask(key, unpaid ? { ...request, unpaid } : request)
  }

  async #ask(key: string, request: ReplicationRequest): Promise<Looked> {
    const known = this.#known(key)
    if (known !== undefined) {
      this.#options.limits.giveBack(request)
      return await known.head
    }
    const seen: Seen = {
      head: this.#askUpstreams(request, (ms) => {
        this.#keep(key, seen, ms)
      }),
      until: Infinity,
    }
    this.#seen.set(key, seen)
    const looked = await seen.head
    const { limits } = this.#options
    if (looked === undefined) limits.take(request)
    else limits.giveBack(request)
    return looked
  }

  #known(key: string): Seen | undefined {
    const seen = this.#seen.get(key)
    return seen !== undefined && seen.until > performance.now() ? seen : undefined
  }

  async #askUpstreams(request: ReplicationRequest, keepFor: (ms: number) => void): Promise<Looked> {
    let denied = false
    for (const upstream of request.upstreams) {
      const hold = await this.#options.holdOf(upstream)
      if (hold !== undefined) {
        keepFor(REMEMBERED_MS.held)
        return { why: whyHeld(hold) }
      }
      try {
        const source = this.#options.source(upstream, request)
        // Each has its own time: one that is slow says nothing of the next.
        const signal = AbortSignal.timeout(WITHIN_MS)
        const head = await source?.headManifest(request.reference, signal)
        if (head === undefined) continue
        keepFor(REMEMBERED_MS.found)
        return head
      } catch (error) {
        this.#options.onError(upstream, error)
        denied = error instanceof ReplicationError && error.denied
        if (denied) continue
        keepFor(REMEMBERED_MS.failed)
        return { why: UPSTREAM_ERROR }
      }
    }
    if (denied) {
      keepFor(REMEMBERED_MS.failed)
      return { why: UPSTREAM_ERROR }
    }
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
