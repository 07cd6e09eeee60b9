import { Redis } from 'ioredis'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { countWorkers, Presence } from '../../../src/pool/presence.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

let server: TestRedis
let redis: Redis
const opened: Presence[] = []

beforeEach(async () => {
  server = await startRedis()
  redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
  redis.on('error', () => undefined)
})

afterEach(async () => {
  for (const presence of opened.splice(0)) await presence[Symbol.asyncDispose]()
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

async function join(name: string): Promise<Presence> {
  const presence = new Presence(redis, name, () => undefined, 20)
  opened.push(presence)
  await presence.join('hq')
  return presence
}

it('divides a limit among the workers that there are, all of it, and tells when that changes', async () => {
  const first = await join('a')
  let changes = 0
  first.onChange(() => (changes += 1))
  expect([first.share('hq', 8), first.fraction('hq')]).toEqual([8, 1])

  const second = await join('b')
  const third = await join('c')
  await eventually(() => first.share('hq', 9) === 3)

  await eventually(() => changes > 0)
  await eventually(() => second.fraction('hq') === 1 / 3)
  const shares = [first, second, third].map((presence) => presence.share('hq', 8))
  expect(shares).toEqual([3, 3, 2])
  expect(first.share('hq', 2)).toBe(1)
  expect(third.share('hq', 2)).toBe(1)
})

it('gives what a worker leaves to those that stay', async () => {
  const first = await join('a')
  const second = await join('b')
  await eventually(() => first.share('hq', 8) === 4)

  await second[Symbol.asyncDispose]()

  await eventually(() => first.share('hq', 8) === 8)
  expect(first.fraction('hq')).toBe(1)
})

it('leaves nothing for ever, also of workers that were all killed', async () => {
  await join('a')

  const [key = ''] = await redis.keys('*presence*')

  expect(await redis.pttl(key)).toBeGreaterThan(0)
})

it('divides alike with a process whose clock is 20 s ahead', async () => {
  const first = await join('a')
  vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 20_000)
  onTestFinished(() => {
    vi.restoreAllMocks()
  })

  const ahead = await join('b')

  expect(await countWorkers(redis, 'hq')).toBe(2)
  expect(ahead.share('hq', 8)).toBe(4)
  await eventually(() => first.share('hq', 8) === 4)
})

it('counts nobody who was seen before the clock of Redis was set back, and since then no more', async () => {
  await redis.zadd('pullsync:presence:hq', Date.now() + 3_600_000, 'dead')
  expect(await countWorkers(redis, 'hq')).toBe(0)

  const first = await join('a')

  expect(first.share('hq', 8)).toBe(8)
  expect(await countWorkers(redis, 'hq')).toBe(1)
})
