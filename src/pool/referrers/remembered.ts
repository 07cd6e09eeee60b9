import type { Redis } from 'ioredis'
import type { Repository } from '../../oci/reference.ts'

export interface RememberedOptions {
  /** What it is that is remembered, as a part of Redis' keys. */
  readonly what: string
  /** Of one repository; the newest stay. */
  readonly max: number
  readonly keptMs: number
}

// KEYS: the repository's. ARGV: the name, how many, for how many milliseconds.
const ADD = `
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[2]))
return redis.call('PEXPIRE', KEYS[1], ARGV[3])`

const TAKE = `
local all = redis.call('ZRANGE', KEYS[1], 0, -1)
redis.call('DEL', KEYS[1])
return all`

/** Names that some job has kept for another of the same repository, over all processes. */
export class Remembered {
  readonly #redis: Redis
  readonly #options: RememberedOptions

  constructor(redis: Redis, options: RememberedOptions) {
    this.#redis = redis
    this.#options = options
  }

  async add(repository: Repository, name: string): Promise<void> {
    const { max, keptMs } = this.#options
    await this.#redis.eval(ADD, 1, this.#keyOf(repository), name, max, keptMs)
  }

  /** All of them; they are forgotten with that. */
  async take(repository: Repository): Promise<readonly string[]> {
    return (await this.#redis.eval(TAKE, 1, this.#keyOf(repository))) as string[]
  }

  #keyOf(repository: Repository): string {
    return `pullsync:${this.#options.what}:${repository}`
  }
}
