import type { Redis } from 'ioredis'
import { type Outage, ReplicationError } from '../../replication/errors.ts'
import { inTime } from '../../waiting/in-time.ts'
import { type Breakers, type Hold, type HoldKind, MAX_RETRY_AFTER_MS } from '../breaker.ts'
import { unlessRedisFails } from '../redis-errors.ts'
import { recordFailure } from '../upstream-health.ts'
import type { SharedHolds } from './shared-holds.ts'

export interface UpstreamWatchOptions {
  readonly redis: Redis
  readonly holds: Pick<SharedHolds, 'known'>
  readonly breakers: Breakers
  /** Nobody asks it for so long. */
  readonly onHeld: (upstream: string, hold: { kind: HoldKind; forMs: number }) => void
  /** It answers, and had not. */
  readonly onAnswers: (upstream: string) => void
  readonly onError: (error: Error) => void
}

/** What upstream is asked for. */
export interface UpstreamQuestion {
  readonly upstream: string
  /** Failures of the same one count once. */
  readonly image: string
}

/** A client waits: what Redis does not say by then keeps nobody from asking. */
const WITHIN_MS = 250

/**
 * Between what clients of this process ask and the upstreams: how an upstream answers them counts for the pool as what
 * it answers jobs does, and one that is down is asked by one of them at a time. None of it rejects but the
 * questions themselves.
 */
export class UpstreamWatch {
  readonly #options: UpstreamWatchOptions
  /** Whose next answer is news to the pool: they have failed a client, or are being tried. */
  readonly #inDoubt = new Set<string>()

  constructor(options: UpstreamWatchOptions) {
    this.#options = options
  }

  /** While it is not to be asked; undefined when it may be, which is then to be done. */
  async holdOf(upstream: string): Promise<Hold | undefined> {
    const hold = await this.#options.holds.known(upstream)
    if (hold === undefined || hold.forMs > 0) return hold
    const asked = this.#safely(() => this.#options.breakers.admit(upstream))
    const admission = await inTime(asked, WITHIN_MS)
    if (admission?.kind === 'open') return admission.hold
    this.#inDoubt.add(upstream)
    return undefined
  }

  readonly isHeld = async (upstream: string): Promise<boolean> =>
    (await this.holdOf(upstream)) !== undefined

  /** The answer, or the failure, of which the pool is told. */
  async watched<T>(question: UpstreamQuestion, answer: Promise<T>): Promise<T> {
    try {
      const given = await answer
      this.#answered(question.upstream)
      return given
    } catch (error) {
      void this.#failed(question, error)
      throw error
    }
  }

  /** The same for what comes page by page. */
  async *watchedPages<T>(question: UpstreamQuestion, pages: AsyncIterable<T>): AsyncGenerator<T> {
    let answers = false
    try {
      for await (const page of pages) {
        answers = true
        this.#answered(question.upstream)
        yield page
      }
      this.#answered(question.upstream)
    } catch (error) {
      // Too many pages for the time that there is are no outage.
      void this.#failed(question, answers && isTimeOver(error) ? undefined : error)
      throw error
    }
  }

  #answered(upstream: string): void {
    if (!this.#inDoubt.delete(upstream)) return
    const { breakers, onAnswers } = this.#options
    void this.#safely(async () => {
      if (await breakers.succeeded(upstream)) onAnswers(upstream)
    })
  }

  async #failed({ upstream, image }: UpstreamQuestion, error: unknown): Promise<void> {
    const { redis, breakers, onHeld } = this.#options
    const outage = outageOf(error)
    await this.#safely(async () => {
      if (outage === undefined) {
        // It was about that one image. Whatever was to be found out, another may.
        if (this.#inDoubt.has(upstream)) await breakers.release(upstream)
        return
      }
      this.#inDoubt.add(upstream)
      const { kind, isSure, isUnreachable, retryAfterMs, reason } = outage
      const { forMs, opened } = await breakers.failed(upstream, {
        ...{ kind, reason, forMs: Math.min(retryAfterMs, MAX_RETRY_AFTER_MS) },
        ...(!isSure && { culprit: image }),
        suffices: isUnreachable,
      })
      if (opened) onHeld(upstream, { kind, forMs })
      if (forMs > 0) await recordFailure(redis, upstream, reason)
    })
  }

  async #safely<T>(ask: () => Promise<T>): Promise<T | undefined> {
    return await unlessRedisFails(undefined, ask, this.#options.onError)
  }
}

type Failing = Pick<Outage, 'kind' | 'isSure' | 'isUnreachable' | 'retryAfterMs'> & {
  readonly reason: string
}

/** What the failure says of the upstream; undefined where it was about one image. */
function outageOf(error: unknown): Failing | undefined {
  if (isTimeOver(error)) return SILENT
  if (!(error instanceof ReplicationError) || error.outage === undefined) return undefined
  return { ...error.outage, reason: error.message }
}

const SILENT: Failing = {
  ...{ kind: 'down', isSure: false, isUnreachable: false, retryAfterMs: 0 },
  reason: 'it has not answered for as long as a client of the gateway waits',
}

/** The time that whoever asked had for the answer. */
function isTimeOver(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError'
}
