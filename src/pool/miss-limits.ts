import type { Redis } from 'ioredis'
import type { MissLimitsConfig } from '../config/config.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { type Bucket, type Entry, TokenBuckets } from './buckets/token-buckets.ts'

/** Whose bucket is empty. Used as a metrics label. */
export type LimitReason = 'source-limited' | 'repository-limited'

/** Followed by `repository:` or `source:`, and whose bucket it is. */
export const LIMIT_PREFIX = 'pullsync:limit:'

/** What the limits look at of a request. */
export type LimitedMiss = Pick<
  ReplicationRequest,
  'repository' | 'upstreams' | 'trigger' | 'source' | 'client' | 'replaces' | 'unpaid'
>

/** Whether a miss is let in. */
export interface Admission {
  /** Why it is held back. */
  readonly limited: LimitReason | undefined
  /** Let in without the tokens that it would have taken: to be marked so before it goes on. */
  readonly unpaid: boolean
}

interface MissBucket extends Bucket {
  readonly reason: LimitReason
}

/**
 * Token buckets against noise, over all processes: one for each source and one for each repository of
 * an upstream; of a source that tells its clients apart, for each of these. In the end only what upstream
 * does not have has taken tokens, so misses that bring something are never held back for being many. A known
 * client's miss takes them at once and gets them back as soon as upstream is seen to have it: so many
 * that come together are no more than the bucket holds. What is let in without them (`unpaid`) has none to
 * get back. Of it and of all others it is not known how many come together; they take theirs when upstream
 * has answered.
 */
export class MissLimits {
  readonly #buckets: TokenBuckets
  readonly #config: () => MissLimitsConfig

  constructor(redis: Redis, config: () => MissLimitsConfig) {
    this.#buckets = new TokenBuckets(redis)
    this.#config = config
  }

  /** For each request why it would be held back, in the same order. Asks Redis once, for misses alone. */
  async check(requests: readonly LimitedMiss[]): Promise<readonly (LimitReason | undefined)[]> {
    const told = await this.#buckets.admit(
      requests.map((request) => ({ buckets: this.#bucketsOf(request), takes: false })),
    )
    return told.map(({ empty }) => empty?.reason)
  }

  /**
   * The same, and lets in the others.
   *
   * @param answeredBy a key of Redis: while it is there, the request costs upstream nothing
   */
  async admit<Request extends LimitedMiss>(
    requests: readonly Request[],
    answeredBy?: (request: Request) => string,
  ): Promise<readonly Admission[]> {
    const told = await this.#buckets.admit(
      requests.map((request): Entry<MissBucket> => {
        const buckets = this.#bucketsOf(request)
        const freeWhile = buckets.length === 0 ? undefined : answeredBy?.(request)
        return { buckets, takes: takesAtOnce(request), ...(freeWhile && { freeWhile }) }
      }),
    )
    return told.map(({ empty, free }, i) => {
      const request = requests[i]
      return { limited: empty?.reason, unpaid: free && !!request && takesAtOnce(request) }
    })
  }

  /** Whether it took tokens when it was let in, which it may get back. */
  hasPaid(request: LimitedMiss): boolean {
    return takesAtOnce(request) && this.#bucketsOf(request).length > 0
  }

  /** It was let in, and upstream has it, or was not asked for it or could not be. */
  async giveBack(request: LimitedMiss): Promise<void> {
    if (this.hasPaid(request)) await this.#buckets.giveBack(this.#bucketsOf(request))
  }

  /** It was let in, and upstream does not have it. */
  async take(request: LimitedMiss): Promise<void> {
    if (!takesAtOnce(request)) await this.#buckets.take(this.#bucketsOf(request))
  }

  /**
   * Whatever an empty bucket owes, one of its misses passes each second.
   *
   * @returns after how many milliseconds this one may; undefined when that would be too long
   */
  async turn(request: LimitedMiss, reason: LimitReason): Promise<number | undefined> {
    const bucket = this.#bucketsOf(request).find((each) => each.reason === reason)
    return bucket === undefined ? 0 : await this.#buckets.turn(bucket)
  }

  /** The repository's first: it tells more. */
  #bucketsOf(miss: LimitedMiss): readonly MissBucket[] {
    const { trigger, upstreams, repository, source, client, replaces } = miss
    // What replaces a tag is what upstream was just seen to have.
    if (trigger !== 'miss' || replaces !== undefined) return []
    const { perRepository, perSource } = this.#config()
    const whose = client === undefined ? '' : ` ${client}`
    const ofRepository: MissBucket = {
      ...perRepository,
      key: `${LIMIT_PREFIX}repository:${upstreams[0]}/${repository}${whose}`,
      reason: 'repository-limited',
    }
    if (source === undefined) return [ofRepository]
    const key = `${LIMIT_PREFIX}source:${source}${whose}`
    return [ofRepository, { ...perSource, key, reason: 'source-limited' }]
  }
}

function takesAtOnce({ client, unpaid }: LimitedMiss): boolean {
  return client !== undefined && unpaid !== true
}
