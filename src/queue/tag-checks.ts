import type { Redis } from 'ioredis'
import { isTag } from '../oci/reference.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { QueueUnavailableError } from './errors.ts'

/** What nobody pulled for so long is looked at again at the next pull, however old it may be. */
const KEPT_MS = 30 * 24 * 3_600_000
/** Another process may come to know that a look failed: what this one remembers must not hide that for long. */
const REMEMBERED_MS = 5_000
/** Tags that a process remembers; more are asked of Redis. */
const MAX_REMEMBERED = 20_000

// Redis' own clock, so that processes whose clocks differ agree. Gives back for how many milliseconds
// the tag is fresh; 0: it is due, and whoever was told so is the one who looks.
const DUE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = tonumber(redis.call('GET', KEYS[1]) or '')
local within = tonumber(ARGV[1])
if at and now - at < within then return within - (now - at) end
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', ARGV[2])
return 0`

const CHECKED = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', ARGV[1])`

/** Followed by `repository:tag`. */
export const CHECKED_PREFIX = 'pullsync:checked:'

type Named = Pick<ReplicationRequest, 'repository' | 'reference'>

/** When each tag was last looked up upstream, over all processes; and for an instant, in this one. */
export class TagChecks {
  readonly #redis: Redis
  readonly #freshUntil = new Map<string, number>()

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** True when this process knows without asking Redis that the tag needs no look. */
  isFresh(named: Named, now = performance.now()): boolean {
    return (this.#freshUntil.get(keyOf(named)) ?? 0) > now
  }

  /**
   * Whether the last look at the tag is older than that; if so, it counts as looked at from now on,
   * so that of many who ask at once one looks.
   *
   * @param withinMs 0: it is due whatever its age
   * @throws QueueUnavailableError when Redis does not answer
   */
  async due(named: Named, withinMs: number): Promise<boolean> {
    if (withinMs === 0) return true
    if (this.isFresh(named)) return false
    const freshMs = await this.#ask(named, withinMs)
    this.#remember(keyOf(named), Math.min(freshMs === 0 ? withinMs : freshMs, REMEMBERED_MS))
    return freshMs === 0
  }

  /** The look did not come about: the next one who asks is to look. Never rejects. */
  async forget(named: Named): Promise<void> {
    this.#freshUntil.delete(keyOf(named))
    await forgetCheck(this.#redis, named).catch(() => undefined)
  }

  async #ask(named: Named, withinMs: number): Promise<number> {
    try {
      return Number(await this.#redis.eval(DUE, 1, keyOf(named), withinMs, KEPT_MS))
    } catch (error) {
      throw new QueueUnavailableError('asking when the tag was last looked up', error)
    }
  }

  #remember(key: string, forMs: number): void {
    this.#freshUntil.delete(key)
    this.#freshUntil.set(key, performance.now() + forMs)
    if (this.#freshUntil.size <= MAX_REMEMBERED) return
    const [oldest] = this.#freshUntil.keys()
    if (oldest !== undefined) this.#freshUntil.delete(oldest)
  }
}

/** Upstream has just been asked what the tag is. What is under a digest needs no look. */
export async function noteChecked(redis: Redis, named: Named): Promise<void> {
  if (isTag(named.reference)) await redis.eval(CHECKED, 1, keyOf(named), KEPT_MS)
}

/** Upstream could not be asked. */
export async function forgetCheck(redis: Redis, named: Named): Promise<void> {
  if (isTag(named.reference)) await redis.del(keyOf(named))
}

function keyOf({ repository, reference }: Named): string {
  return `${CHECKED_PREFIX}${repository}:${reference}`
}
