import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Repository, Tag } from '../../../src/oci/reference.ts'
import { AnnouncedManifests } from '../../../src/pool/gateways/announced-manifests.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const APP = 'team/app' as Repository
const digest = (content: string) => digestOf(Buffer.from(content))

let server: TestRedis
let redis: Redis
let one: AnnouncedManifests
let another: AnnouncedManifests

beforeAll(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
  const unexpected = (error: Error) => {
    throw error
  }
  one = new AnnouncedManifests(redis, unexpected)
  another = new AnnouncedManifests(redis, unexpected)
})

afterAll(async () => {
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

it('knows in every process of what manifests clients were told, the last sixteen of a repository', async () => {
  for (let at = 0; at < 20; at += 1) await one.remember(APP, digest(`${at}`))
  await another.rememberAll(APP, [digest('5'), digest('19')])

  const recent = await another.recent(APP)

  expect(recent).toHaveLength(16)
  expect(recent.slice(0, 3)).toEqual([digest('19'), digest('5'), digest('18')])
  expect(await another.recent('team/other' as Repository)).toEqual([])
  expect(await redis.ttl('pullsync:told:team/app')).toBeGreaterThan(500)
})

it('knows by which tag a client was told of one', async () => {
  await one.remember(APP, digest('tagged'), '1.0' as Tag)

  expect(await another.tagOf(APP, digest('tagged'))).toBe('1.0')
  expect(await another.tagOf(APP, digest('untagged'))).toBeUndefined()
})

it('says of nothing without Redis, and tells why', async () => {
  const errors: Error[] = []
  await using gone = await startRedis()
  const lost = new Redis(gone.url, { maxRetriesPerRequest: 0, retryStrategy: () => null })
  lost.on('error', () => undefined)
  lost.disconnect()
  const told = new AnnouncedManifests(lost, (error) => errors.push(error))

  expect(await told.recent(APP)).toEqual([])
  expect(errors).toHaveLength(1)
})
