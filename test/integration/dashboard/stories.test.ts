import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Stories } from '../../../src/pool/stories/stories.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

let server: TestRedis
let redis: Redis

beforeEach(async () => {
  server = await startRedis({ appendOnly: false })
  redis = new Redis(server.url)
})

afterEach(async () => {
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

async function told(count: number): Promise<void> {
  await using stories = new Stories(redis)
  for (let n = 0; n < count; n += 1) {
    stories.note('team/app:1.0', { what: 'event ignored', facts: { n: `${n}` } })
  }
}

it('tell of one image alone, the newest first, no more than asked for', async () => {
  await told(3)
  await using stories = new Stories(redis)
  stories.note('team/web:1.0', { what: 'job ended', facts: { outcome: 'copied' } })
  await stories[Symbol.asyncDispose]()

  const lines = await stories.read('team/app:1.0', 2)

  expect(lines.map(({ facts }) => facts['n'])).toEqual(['2', '1'])
  expect(await stories.read('team/web:1.0', 50)).toMatchObject([
    { what: 'job ended', facts: { outcome: 'copied' } },
  ])
})

it('take no more than so much of Redis, whatever there is to tell, and end after a day', async () => {
  await told(1_000)
  expect(await redis.xlen('pullsync:stories')).toBeLessThanOrEqual(50)
  const many = redis.pipeline()
  for (let n = 0; n < 30_000; n += 1) many.xadd('pullsync:stories', '*', 'image', 'a', 'what', 'b')
  await many.exec()
  await told(1)

  expect(await redis.xlen('pullsync:stories')).toBeLessThanOrEqual(10_200)
  await using stories = new Stories(redis)
  expect(await stories.read('team/app:1.0', 50)).toHaveLength(1)
  expect(await stories.read('team/app:1.0', 50, Date.now() + 25 * 3_600_000)).toEqual([])
})
