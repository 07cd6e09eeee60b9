import type { Redis } from 'ioredis'
import { type Digest, isDigest } from '../oci/digest.ts'
import { formatImageName, isTag } from '../oci/reference.ts'
import type { ReplicationRequest } from '../replication/request.ts'
import { QueueUnavailableError } from './redis-errors.ts'

/** What nobody pulled for so long is looked at again at the next pull, however old it may be. */
const KEPT_MS = 30 * 24 * 3_600_000
/** What belongs to one deletion is told of at once, unless the sender has to try again. */
const TOLD_MS = 600_000
/** Another process may come to know that a look failed: what this one remembers must not hide that for long. */
const REMEMBERED_MS = 5_000
/** Tags that a process remembers; more are asked of Redis. */
const MAX_REMEMBERED = 20_000

// Redis' own clock, so that processes whose clocks differ agree. Gives back for how many milliseconds
// the tag is fresh; 0: it is due, and whoever was told so is the one who looks. A look that is still to come was noted
// before the clock was set back, or by another Redis before a fail-over: when it was, nobody knows.
const DUE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = tonumber(redis.call('GET', KEYS[1]) or '')
local within = tonumber(ARGV[1])
if at and at <= now and now - at < within then return within - (now - at) end
redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', ARGV[2])
return 0`

// A later look, or one that somebody is about to make, stays.
const CHECKED = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local looked = now - tonumber(ARGV[1])
local at = tonumber(redis.call('GET', KEYS[1]) or '')
if at and at > looked and at <= now then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', looked), 'PX', ARGV[2])
return 1`

/** Followed by `repository:tag`, or `repository@digest` of what was pushed upstream by that alone. */
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

  /** The tags of what was deleted by its digest are told of, too, because of the same. */
  async noteDeletion(cause: string, digest: Digest): Promise<void> {
    const note = () => this.#redis.set(deletionKey(cause), digest, 'PX', TOLD_MS)
    await attempt('noting a deletion', note)
  }

  /** Which digest was deleted because of it, if one was. */
  async digestDeleted(cause: string): Promise<Digest | undefined> {
    const ask = () => this.#redis.get(deletionKey(cause))
    const digest = await attempt('asking for a deletion', ask)
    return digest !== null && isDigest(digest) ? digest : undefined
  }

  async #ask(named: Named, withinMs: number): Promise<number> {
    const keptMs = isTag(named.reference) ? KEPT_MS : withinMs
    return await attempt('asking when the tag was last looked up', async () =>
      Number(await this.#redis.eval(DUE, 1, keyOf(named), withinMs, keptMs)),
    )
  }

  #remember(key: string, forMs: number): void {
    this.#freshUntil.delete(key)
    this.#freshUntil.set(key, performance.now() + forMs)
    if (this.#freshUntil.size <= MAX_REMEMBERED) return
    const [oldest] = this.#freshUntil.keys()
    if (oldest !== undefined) this.#freshUntil.delete(oldest)
  }
}

/**
 * Upstream was asked what the tag is, so many milliseconds ago: what it says later, while the copy is
 * still under way, nobody knows. What is under a digest stays what it is.
 */
export async function noteChecked(redis: Redis, named: Named, agoMs: number): Promise<void> {
  if (!isTag(named.reference)) return
  await redis.eval(CHECKED, 1, keyOf(named), Math.max(0, Math.round(agoMs)), KEPT_MS)
}

/** Upstream could not be asked. */
export async function forgetCheck(redis: Redis, named: Named): Promise<void> {
  await redis.del(keyOf(named))
}

async function attempt<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw new QueueUnavailableError(what, error)
  }
}

function deletionKey(cause: string): string {
  return `pullsync:deletion:${cause}`
}

function keyOf({ repository, reference }: Named): string {
  return CHECKED_PREFIX + formatImageName(repository, reference)
}
