import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Repository, Tag } from '../../../src/oci/reference.ts'
import { QueueUnavailableError } from '../../../src/pool/redis-errors.ts'
import { forgetCheck, noteChecked, TagChecks } from '../../../src/pool/tag-checks.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const HOUR = 3_600_000
const APP = { repository: 'team/app' as Repository, reference: '1.0' as Tag }

describe('how long ago a tag was looked up', () => {
  let server: TestRedis
  let redis: Redis
  let one: TagChecks
  let another: TagChecks

  beforeEach(async () => {
    server = await startRedis()
    redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
    redis.on('error', () => undefined)
    one = new TagChecks(redis)
    another = new TagChecks(redis)
  })

  afterEach(async () => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  })

  it('lets one of many processes look', async () => {
    const asked = await Promise.all(
      [one, another, new TagChecks(redis)].map((checks) => checks.due(APP, HOUR)),
    )

    expect(asked.filter(Boolean)).toHaveLength(1)
  })

  it('is counted from the last look of any job at upstream', async () => {
    await noteChecked(redis, APP, 0)

    expect(await one.due(APP, HOUR)).toBe(false)
    expect(await one.due({ ...APP, reference: '2.0' as Tag }, HOUR)).toBe(true)
  })

  it('is not known where the clock of Redis was set back since then', async () => {
    await redis.set('pullsync:checked:team/app:1.0', Date.now() + 24 * HOUR)

    expect(await one.due(APP, HOUR)).toBe(true)
    expect(await another.due(APP, HOUR)).toBe(false)
  })

  it('is counted from the look, which may be long before the end of the copy', async () => {
    await noteChecked(redis, APP, HOUR / 2)

    expect(await one.due(APP, HOUR)).toBe(false)
    expect(await another.due(APP, HOUR / 4)).toBe(true)
    // That one looks now: an older look does not undo it.
    await noteChecked(redis, APP, HOUR / 2)
    expect(await new TagChecks(redis).due(APP, HOUR / 4)).toBe(false)
  })

  it('is judged by what the one who asks finds old', async () => {
    await redis.set('pullsync:checked:team/app:1.0', Date.now() - HOUR)

    expect(await one.due(APP, 2 * HOUR)).toBe(false)
    expect(await another.due(APP, HOUR / 2)).toBe(true)
  })

  it('does not matter where nothing is fresh', async () => {
    await noteChecked(redis, APP, 0)

    expect(await one.due(APP, 0)).toBe(true)
  })

  it('is known for a moment without asking Redis', async () => {
    expect(one.isFresh(APP)).toBe(false)
    await one.due(APP, HOUR)
    await redis.flushall()

    expect(one.isFresh(APP)).toBe(true)
    expect(one.isFresh(APP, performance.now() + 60_000)).toBe(false)
    expect(await one.due(APP, HOUR)).toBe(false)
    expect(await another.due(APP, HOUR)).toBe(true)
  })

  it('is forgotten when the look did not come about', async () => {
    await one.due(APP, HOUR)
    await one.forget(APP)
    expect(await one.due(APP, HOUR)).toBe(true)

    await forgetCheck(redis, APP)
    expect(await another.due(APP, HOUR)).toBe(true)
  })

  it('is not kept for digests', async () => {
    await noteChecked(redis, { ...APP, reference: digestOf(Buffer.from('a')) }, 0)

    expect(await redis.keys('*')).toEqual([])
  })

  it('is not made up while Redis is away', async () => {
    await server.stop()

    await expect(one.due(APP, HOUR)).rejects.toThrow(QueueUnavailableError)
  })
})
