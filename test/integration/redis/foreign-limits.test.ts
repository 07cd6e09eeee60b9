import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ForeignLimits } from '../../../src/queue/foreign-limits.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { waitUntilReady } from '../../../src/pool/ready.ts'
import { ENOUGH_MS, eventually } from '../../support/eventually.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

describe('limits that another tool has set on a queue', () => {
  let redis: TestRedis
  let queues: ReplicationQueues

  beforeEach(async () => {
    redis = await startRedis({ appendOnly: false })
    queues = new ReplicationQueues({
      url: redis.url,
      upstreams: ['hq', 'lab'],
      jobs: {
        attempts: 1,
        backoffMs: 1,
        maxBackoffMs: 1,
        keepCompleted: { ageMs: 60_000, count: 9 },
        keepFailed: { ageMs: 60_000, count: 9 },
      },
      misses: MISS_LIMITS,
      onError: () => undefined,
    })
    await waitUntilReady(queues.redis, AbortSignal.timeout(ENOUGH_MS))
  })

  afterEach(async () => {
    await queues[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  it('are taken away and told of, at the start and later', async () => {
    const undone: string[] = []
    await queues.of('hq').setGlobalConcurrency(1)
    await using _limits = new ForeignLimits(queues, {
      onUndone: ({ upstream, limit }) => undone.push(`${upstream}: ${limit}`),
      onError: () => undefined,
      everyMs: 20,
    })

    await eventually(() => undone.length === 1)
    expect(await queues.of('hq').getGlobalConcurrency()).toBeNull()

    await queues.of('lab').setGlobalRateLimit(2, 60_000)
    await eventually(() => undone.length === 2)
    expect(await queues.of('lab').getGlobalRateLimit()).toBeNull()
    expect(undone).toEqual(['hq: 1 jobs at once', 'lab: 2 jobs in 60000 ms'])
  })
})
