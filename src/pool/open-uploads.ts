import type { Redis } from 'ioredis'
import { type Digest, parseDigest } from '../oci/digest.ts'
import { parseRepository, type Repository } from '../oci/reference.ts'
import { unlessRedisFails } from './redis-errors.ts'

/** An upload that nobody renewed for so long is left by a process that died. */
const LEASE_MS = 15_000
const BEAT_MS = LEASE_MS / 3
/** Who cancels one has so long for it before another tries. */
const CLAIM_MS = 20_000
/** Of what was left, at once. */
const CLAIMED_AT_ONCE = 3
/** By then registries have purged it. */
const KEPT_SECONDS = 7 * 24 * 3_600

const UPLOADS = 'pullsync:uploads'
const FACTS = 'pullsync:uploads:facts'

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`

// KEYS: the uploads by the time until which they are somebody's, and what is known of each.
const BEGIN = `${NOW}
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', now) .. ' ' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ${KEPT_SECONDS})
redis.call('EXPIRE', KEYS[2], ${KEPT_SECONDS})
return 1`

const RENEW = `${NOW}
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now + ARGV[1], ARGV[i]) end`

const END = `
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])`

// Whose time is further off than any lease or claim lasts is from before Redis' clock was set back, as may be its beginning.
// ARGV: how long they are the claimer's, how many. Gives back name, age and facts, one after the other.
const CLAIM = `${NOW}
local claimed = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[1]), '+inf')) do
  redis.call('ZADD', KEYS[1], now + ARGV[1], name)
end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])) do
  redis.call('ZADD', KEYS[1], now + ARGV[1], name)
  local begun, facts = string.match(redis.call('HGET', KEYS[2], name) or '', '^(%d+) (.*)$')
  if begun then
    if tonumber(begun) > now then
      begun = now
      redis.call('HSET', KEYS[2], name, string.format('%.0f', now) .. ' ' .. facts)
    end
    for _, value in ipairs({name, now - begun, facts}) do table.insert(claimed, value) end
  else redis.call('ZREM', KEYS[1], name) end
end
return claimed`

/** An upload of this process. */
interface OwnUpload {
  readonly name: string
  readonly facts: string
  /** Redis knows of it. */
  isRecorded: boolean
}

/** An upload that its process has left in the local registry. */
export interface LeftUpload {
  readonly name: string
  readonly repository: Repository
  readonly digest: Digest
  readonly location: URL
  /** Since it was begun, in milliseconds. */
  readonly ageMs: number
}

/**
 * The uploads that are under way to the local registry, over all workers. What a worker that died had begun is
 * given to another one, to cancel it. Uploads do not wait for Redis, and go on without it: what it could not be told of
 * it is told of later.
 */
export class OpenUploads implements Disposable {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void
  readonly #own = new Map<string, OwnUpload>()
  readonly #beat: NodeJS.Timeout

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
    this.#beat = setInterval(() => void this.#renew(), BEAT_MS).unref()
  }

  begin(repository: Repository, digest: Digest) {
    let name: string | undefined
    let kept = false
    const end = () => {
      if (name === undefined) return
      this.#own.delete(name)
      if (!kept) void this.forget({ name })
    }
    return {
      // Of one blob there is one at a time: the one before it has been cancelled, or is kept for that.
      at: (location: URL) => {
        end()
        kept = false
        // The rest of it says how far it has come, in some registries.
        name = `${repository} ${location.origin}${location.pathname}`
        const facts = `${repository} ${digest} ${location.href}`
        void this.#record({ name, facts, isRecorded: false })
      },
      keep: () => {
        kept = true
      },
      [Symbol.dispose]: end,
    }
  }

  /** Some of those whose processes are gone; nobody else is given them for a while. */
  async claim(): Promise<readonly LeftUpload[]> {
    const claimed = await this.#eval(CLAIM, [CLAIM_MS, CLAIMED_AT_ONCE])
    const values = Array.isArray(claimed) ? claimed.map(String) : []
    return values.flatMap((name, at) =>
      at % 3 === 0 ? leftUpload(name, Number(values[at + 1]), values[at + 2] ?? '') : [],
    )
  }

  /** Nothing is left of it. */
  async forget({ name }: Pick<LeftUpload, 'name'>): Promise<void> {
    await this.#eval(END, [name])
  }

  [Symbol.dispose](): void {
    clearInterval(this.#beat)
  }

  async #renew(): Promise<void> {
    const own = [...this.#own.values()]
    const recorded = own.filter(({ isRecorded }) => isRecorded).map(({ name }) => name)
    if (recorded.length > 0) void this.#eval(RENEW, [LEASE_MS, ...recorded])
    await Promise.all(own.filter(({ isRecorded }) => !isRecorded).map((each) => this.#record(each)))
  }

  async #record(upload: OwnUpload): Promise<void> {
    const { name, facts } = upload
    this.#own.set(name, upload)
    if ((await this.#eval(BEGIN, [LEASE_MS, name, facts])) === 1) upload.isRecorded = true
  }

  #eval(script: string, args: readonly (string | number)[]): Promise<unknown> {
    const ask = () => this.#redis.eval(script, 2, UPLOADS, FACTS, ...args)
    return unlessRedisFails(undefined, ask, this.#onError)
  }
}

function leftUpload(name: string, ageMs: number, facts: string): readonly LeftUpload[] {
  const [repository, digest, location = ''] = facts.split(' ')
  const parsed = {
    repository: parseRepository(repository ?? ''),
    digest: parseDigest(digest ?? ''),
  }
  if (!parsed.repository.ok || !parsed.digest.ok || !URL.canParse(location)) return []
  const where = { repository: parsed.repository.value, digest: parsed.digest.value }
  return [{ name, ...where, location: new URL(location), ageMs }]
}
