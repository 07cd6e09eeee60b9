import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { startSite } from '../site.ts'

it('with redis.waitAof, a delivery is answered 202 once its job is on the disk, and 503 until then', async (context) => {
  await using redis = await startRedis()
  const client = new Redis(redis.url)
  try {
    const known = (await client.call('COMMAND', 'INFO', 'WAITAOF')) as readonly unknown[]
    if (known[0] === null) context.skip('this Redis is older than 7.2')
    await using site = await startSite({
      redisConfig: `{ url: ${redis.url}, waitAof: true }`,
      workers: 0,
    })

    await client.config('SET', 'appendfsync', 'no')
    const early = await site.miss('team/app', '1.0')
    expect(early).toMatchObject({ status: 503, body: { error: expect.anything() as unknown } })

    await client.config('SET', 'appendfsync', 'everysec')
    const all = () =>
      Promise.all(Array.from({ length: 20 }, (_, n) => site.miss('team/app', `${n}`)))
    await eventually(async () => (await all()).every(({ status }) => status === 202))
    // With the first one: it was stored, and only its answer waited in vain.
    expect(await site.jobs()).toHaveLength(21)
  } finally {
    client.disconnect()
  }
})
