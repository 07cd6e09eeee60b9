import type { Config, RedisConfig } from '../../config/config.ts'
import { redisAnswers } from '../../pool/ready.ts'
import { runScratchJob } from '../../queue/scratch-job.ts'
import { suitabilityOf } from '../../queue/suitable-redis.ts'
import { openQueues } from '../redis/open-queues.ts'
import { socketPathOf, socketUrl, withoutPassword } from '../redis/redis-location.ts'
import { type CheckResult, outcomeOf } from './check-result.ts'

const JOB_WITHIN_MS = 8_000

/** Whether Redis is there, is of a kind that keeps jobs, and lets this account add, run and remove one. */
export async function checkRedis(config: Config, dataDir: string): Promise<CheckResult> {
  if (config.redis === undefined) return await checkOwnRedis(dataDir)
  const { redis } = config
  const place = { name: 'redis', at: withoutPassword(redis.url) }
  return await outcomeOf(place, async () => await tryOut(redis, config, dataDir))
}

async function tryOut(redis: RedisConfig, config: Config, dataDir: string) {
  const signal = AbortSignal.timeout(JOB_WITHIN_MS)
  const { unusable, warnings: notes } = await suitabilityOf(redis, signal)
  if (unusable !== undefined) return { ok: false, message: unusable }
  // In its words, when it is not there.
  const queues = await openQueues(config, dataDir)
  await queues[Symbol.asyncDispose]()
  await runScratchJob(redis, signal)
  return { ok: true, message: 'ok, a job was added, run and removed', notes }
}

async function checkOwnRedis(dataDir: string): Promise<CheckResult> {
  const at = socketPathOf(dataDir)
  const running = await redisAnswers(socketUrl(at))
  return { name: 'redis', at, ok: true, message: running ? 'ok' : '"pullsync up" starts it' }
}
