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
  'repository' | 'upstreams' | 'trigger' | 'source' | 'client' | 'replaces'
>

interface MissBucket extends Bucket {
  readonly reason: LimitReason
}

/**
 * Token buckets against noise, over all processes: one for each source and one for each repository of
 * an upstream; of a source that tells its clients apart, for each of these. In the end only what upstream
 * does not have has taken tokens, so misses that bring something are never held back for being many. A known
 * client's miss takes them at once and gets them back as soon as upstream is seen to have it: so many
 * that come together are no more than the bucket holds. Of all others it is not known how many come
 * together; they take theirs when upstream has answered.
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
    return await this.#judge(
      requests.map((request) => ({ buckets: this.#bucketsOf(request), takes: false })),
    )
  }

  /**
   * The same, and lets in the others.
   *
   * @param answeredBy a key of Redis: while it is there, the request costs upstream nothing
   */
  async admit<Request extends LimitedMiss>(
    requests: readonly Request[],
    answeredBy?: (request: Request) => string,
  ): Promise<readonly (LimitReason | undefined)[]> {
    return await this.#judge(
      requests.map((request) => {
        const buckets = this.#bucketsOf(request)
        const freeWhile = buckets.length === 0 ? undefined : answeredBy?.(request)
        return { buckets, takes: takesAtOnce(request), ...(freeWhile && { freeWhile }) }
      }),
    )
  }

  /** Lets it in, whatever its buckets hold. */
  async pass(request: LimitedMiss): Promise<void> {
    if (takesAtOnce(request)) await this.#buckets.take(this.#bucketsOf(request))
  }

  /** It was let in, and upstream has it, or was not asked for it or could not be. */
  async giveBack(request: LimitedMiss): Promise<void> {
    if (takesAtOnce(request)) await this.#buckets.giveBack(this.#bucketsOf(request))
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

  async #judge(
    entries: readonly Entry<MissBucket>[],
  ): Promise<readonly (LimitReason | undefined)[]> {
    return (await this.#buckets.admit(entries)).map((bucket) => bucket?.reason)
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

function takesAtOnce({ client }: LimitedMiss): boolean {
  return client !== undefined
}
