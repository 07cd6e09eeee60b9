import type { Redis } from 'ioredis'
import { isTag } from '../../oci/reference.ts'
import type { ReplicationRequest } from '../../replication/request.ts'
import type { ReplicationJob, ReplicationQueue } from '../replication-queue.ts'
import { LostRightError } from './lock-watch.ts'

/** A job that died without a word leaves its record for so long. */
const KEPT_MS = 24 * 3_600_000
const TURNS_KEY = 'pullsync:writer-turns'

// The record says whose turn it is, by BullMQ's lock on that job: it is worth as much as that lock, so
// it needs no renewal, and a worker that dies holds a tag no longer than its job.
// KEYS: the record, the lock on the job, the turns. ARGV: the lock's token, how long the record is kept.
const TAKE = `
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
local held = redis.call('HMGET', KEYS[1], 'lock', 'token')
if held[1] and held[1] ~= KEYS[2] and redis.call('GET', held[1]) == held[2] then return 0 end
local turn = redis.call('INCR', KEYS[3])
redis.call('HSET', KEYS[1], 'lock', KEYS[2], 'token', ARGV[1], 'turn', turn)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return turn`

const MINE = `
local held = redis.call('HMGET', KEYS[1], 'lock', 'token', 'turn')
local mine = held[1] == KEYS[2] and held[2] == ARGV[1] and held[3] == ARGV[2]`

// The lock lasts anew from here, which is the time there is to write the tag.
const CONFIRM = `${MINE}
if not mine or redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[2], ARGV[3])`

const RELEASE = `${MINE}
return mine and redis.call('DEL', KEYS[1]) or 0`

export interface TagRightOptions {
  /** Its commands wait for Redis. */
  readonly redis: Redis
  readonly queue: ReplicationQueue
  readonly job: ReplicationJob
  /** Of BullMQ's lock on the job. */
  readonly token: string
  readonly lockMs: number
}

/**
 * The right to write one local tag. One job at a time has it, over all workers and upstreams, from
 * before its look at upstream until after the write: so of all looks, that of the one who writes is
 * the newest. Turns are numbered, and no number comes twice.
 */
export class TagRight {
  readonly #options: TagRightOptions
  readonly #keys: readonly [record: string, lock: string]
  readonly #turn: string
  #mayHaveWritten = false

  private constructor(options: TagRightOptions, record: string, turn: number) {
    this.#options = options
    this.#keys = [record, lockKey(options)]
    this.#turn = `${turn}`
  }

  /**
   * Undefined while another job has the right.
   * @throws LostRightError when the job itself is no longer this worker's
   */
  static async take(
    { repository, reference }: ReplicationRequest,
    options: TagRightOptions,
  ): Promise<TagRight | undefined> {
    const record = `pullsync:writer:${repository}:${reference}`
    const { redis, token } = options
    const keys = [record, lockKey(options), TURNS_KEY]
    const turn = Number(await redis.eval(TAKE, keys.length, ...keys, token, KEPT_MS))
    if (turn < 0) throw new LostRightError('the lock on the job was lost before it began')
    return turn === 0 ? undefined : new TagRight(options, record, turn)
  }

  /** @throws LostRightError */
  async confirm(): Promise<void> {
    const { redis, token, lockMs } = this.#options
    if ((await redis.eval(CONFIRM, 2, ...this.#keys, token, this.#turn, lockMs)) !== 1) {
      throw new LostRightError('another job may write the tag now')
    }
    this.#mayHaveWritten = true
  }

  /**
   * Whether the tag was or may have been written, and another had the right by then: what it wrote may
   * have been overwritten. Waits for Redis.
   */
  async release(): Promise<{ readonly mayBeOld: boolean }> {
    const { redis, token } = this.#options
    const was = await redis.eval(RELEASE, 2, ...this.#keys, token, this.#turn)
    return { mayBeOld: this.#mayHaveWritten && was !== 1 }
  }
}

/** What is under a digest is the same whoever writes it. */
export function needsRight({ reference }: ReplicationRequest): boolean {
  return isTag(reference)
}

function lockKey({ queue, job }: TagRightOptions): string {
  return queue.toKey(`${job.id ?? ''}:lock`)
}
