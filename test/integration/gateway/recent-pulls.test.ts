import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { RecentPulls } from '../../../src/pool/gateways/recent-pulls.ts'
import { startRedis } from '../../support/redis/redis.ts'

it('is known in every gateway, of that client and repository alone', async () => {
  await using server = await startRedis()
  const redis = new Redis(server.url)
  const unexpected = (error: Error) => {
    throw error
  }
  const [one, another] = [new RecentPulls(redis, unexpected), new RecentPulls(redis, unexpected)]
  const pull = { client: '10.0.0.1 containerd/2.4', repository: 'team/app' as Repository }
  const blob = digestOf(Buffer.from('layer'))

  await one.begun(pull)
  await one.announceAhead(pull, blob)

  expect(await another.has(pull)).toBe(true)
  expect(await another.announcedAhead(pull)).toEqual([blob])
  for (const other of [
    { ...pull, client: '10.0.0.2 containerd/2.4' },
    { ...pull, repository: 'team/other' as Repository },
  ]) {
    expect(await another.has(other)).toBe(false)
    expect(await another.announcedAhead(other)).toEqual([])
  }
  const keys = await redis.keys('pullsync:*')
  for (const key of keys) expect(await redis.ttl(key)).toBeGreaterThan(500)
  expect(keys).toHaveLength(2)
  redis.disconnect()
})
