import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { ClusterRedis } from '../pool/cluster/cluster-redis.ts'
import { openProducerConnection, type RedisAddress } from '../pool/connection.ts'
import { waitUntilReady } from '../pool/ready.ts'
import { lastingRefusal } from '../pool/redis-errors.ts'

/** What a Redis is like, as far as pullsync cannot work with it, or not safely. */
export interface Suitability {
  /** Why it cannot be used, and what to do; absent when it can, or does not answer now. */
  readonly unusable?: string
  /** What will cost jobs one day. */
  readonly warnings: readonly string[]
}

const NOTHING: Suitability = { warnings: [] }
const WITHIN_MS = 2_000

/** Looks once, for two seconds at most. A Redis that is away is waited for later, and no matter of this. */
export async function suitabilityOf(url: RedisAddress, signal: AbortSignal): Promise<Suitability> {
  const redis = openProducerConnection(url, () => undefined)
  try {
    await waitUntilReady(redis, AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]))
    const examination = await examined(redis)
    const lack = waitsForAof(url) ? await lackForAof(redis) : undefined
    return lack === undefined ? examination : { unusable: lack, ...examination }
  } catch (error) {
    const refusal = lastingRefusal(deepest(error))
    return refusal === undefined ? NOTHING : { ...NOTHING, unusable: refusal }
  } finally {
    redis.disconnect()
  }
}

async function examined(redis: Redis): Promise<Suitability> {
  const info = factsOf(await redis.info())
  const unusable = wrongKind(info, redis instanceof ClusterRedis)
  if (unusable !== undefined) return { ...NOTHING, unusable }
  await tryScript(redis)
  const policy = info.get('maxmemory_policy') ?? 'noeviction'
  const evicts = policy !== 'noeviction'
  return { warnings: evicts ? [EVICTS(policy)] : [] }
}

function wrongKind(info: ReadonlyMap<string, string>, asCluster: boolean): string | undefined {
  if (info.get('redis_mode') === 'sentinel') {
    return 'it is a Sentinel, which keeps no jobs: name the primary in redis.url, or the Sentinels in redis.sentinels and the primary by redis.name'
  }
  if (info.get('redis_mode') === 'cluster' && !asCluster) {
    return 'it is a node of a Redis Cluster: name its nodes in redis.cluster, in place of redis.url'
  }
  if (info.get('role') !== 'slave') return undefined
  const [host, port] = [info.get('master_host') ?? '?', info.get('master_port') ?? '?']
  return `it is a replica of ${host}:${port} and takes no jobs: name the primary in redis.url`
}

/** Whether deliveries are answered only once Redis has their jobs on its disk. */
export function waitsForAof(address: RedisAddress): boolean {
  return typeof address !== 'string' && address.waitAof === true
}

/** What it needs for that and does not have. */
async function lackForAof(redis: Redis): Promise<string | undefined> {
  const [known] = (await redis.call('COMMAND', 'INFO', 'WAITAOF')) as readonly unknown[]
  const info = factsOf(await redis.info())
  if (known === null) {
    const version = info.get('redis_version') ?? 'of an unknown version'
    return `redis.waitAof needs Redis 7.2 or newer, and it is ${version}: update it, or take redis.waitAof out`
  }
  if (info.get('aof_enabled') === '1') return undefined
  return 'redis.waitAof needs its append-only file: set "appendonly yes" in its configuration, or take redis.waitAof out'
}

/** @throws Error as Redis refuses it, where the account may not do what BullMQ does */
async function tryScript(redis: Redis): Promise<void> {
  const key = `pullsync:check:${randomUUID()}`
  await redis.eval(
    "redis.call('SET', KEYS[1], '1', 'PX', 1000) return redis.call('DEL', KEYS[1])",
    1,
    key,
  )
}

const EVICTS = (policy: string) =>
  `its maxmemory-policy is ${policy}: when memory is short it throws jobs away in silence; set noeviction`

function factsOf(info: string): ReadonlyMap<string, string> {
  return new Map(
    info.split('\r\n').flatMap((line) => {
      const [name, value] = line.split(':', 2)
      return name === undefined || value === undefined ? [] : [[name, value] as const]
    }),
  )
}

function deepest(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? deepest(error.cause) : error
}
