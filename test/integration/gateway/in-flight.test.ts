import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { InFlight } from '../../../src/pool/in-flight.ts'
import { manifestOf, randomBlob, reference, repository } from '../../contract/contract-content.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const REPOSITORY = repository('team/app')
const SHARED = randomBlob(10).descriptor

describe('images on their way', () => {
  let server: TestRedis
  let redis: Redis
  let inFlight: InFlight

  beforeEach(async () => {
    server = await startRedis()
    redis = new Redis(server.url)
    inFlight = new InFlight(redis, (error) => {
      throw error
    })
  })

  afterEach(async () => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  })

  async function publish(job: string, tag: string) {
    const manifest = manifestOf({ layers: [SHARED, randomBlob(10).descriptor] })
    const published = {
      repository: REPOSITORY,
      reference: reference(tag),
      manifest,
      upstream: 'hq',
    }
    return { manifest, keys: await inFlight.publish(job, published) }
  }

  async function secondsLeft(keys: readonly string[]) {
    return await Promise.all(keys.map((key) => redis.ttl(key)))
  }

  it('are told byte for byte, by tag and by digest, and what they name', async () => {
    const { manifest } = await publish('one', '1.0')

    for (const name of [reference('1.0'), manifest.digest]) {
      expect(await inFlight.manifest(REPOSITORY, name)).toEqual(manifest)
    }
    const part = await inFlight.part(REPOSITORY, SHARED.digest)
    expect(part).toEqual({ kind: 'blob', size: SHARED.size, upstream: 'hq' })
    const other = digestOf(Buffer.from('another'))
    expect(await inFlight.part(REPOSITORY, other)).toBeUndefined()
  })

  it.each([
    ['first', 'second'],
    ['second', 'first'],
  ])('keep a shared layer in view when the %s of two jobs ends', async (ended, left) => {
    const published = {
      first: await publish('first', '1.0'),
      second: await publish('second', '2.0'),
    }
    const keysOf = (job: string) => published[job === 'first' ? 'first' : 'second'].keys

    await inFlight.ended(ended, keysOf(ended))

    expect(Math.min(...(await secondsLeft(keysOf(left))))).toBeGreaterThan(3_600)
    expect(Math.min(...(await secondsLeft(keysOf(ended))))).toBeLessThanOrEqual(30)

    await inFlight.ended(left, keysOf(left))

    expect(Math.max(...(await secondsLeft(keysOf(left))))).toBeLessThanOrEqual(30)
  })

  it('give a blob of one upstream to nobody who only heard of it from another', async () => {
    await inFlight.follow({ upstream: 'hq', digest: SHARED.digest }, 'http://worker/spool/1')
    const manifest = manifestOf({ layers: [SHARED] })
    const other = repository('other/app')
    const published = { repository: other, reference: reference('1.0'), manifest }
    await inFlight.publish('two', { ...published, upstream: 'elsewhere' })

    const part = await inFlight.part(other, SHARED.digest)

    expect(part?.upstream).toBe('elsewhere')
    const blob = { upstream: part?.upstream ?? '', digest: SHARED.digest }
    expect(await inFlight.spoolOf(blob)).toBeUndefined()
    expect(await inFlight.spoolOf({ ...blob, upstream: 'hq' })).toBe('http://worker/spool/1')
  })

  it('may have tens of thousands of parts', async () => {
    const layers = Array.from({ length: 20_000 }, (_, n) => ({
      digest: digestOf(Buffer.from(`layer ${n}`)),
      size: 1,
    }))
    const manifest = manifestOf({ layers })
    const published = {
      repository: REPOSITORY,
      reference: reference('1.0'),
      manifest,
      upstream: 'hq',
    }

    const keys = await inFlight.publish('one', published)
    await inFlight.ended('one', keys)

    const told = await inFlight.manifest(REPOSITORY, reference('1.0'))
    expect(told?.bytes.equals(manifest.bytes)).toBe(true)
    expect(Math.max(...(await secondsLeft(keys.slice(-10))))).toBeLessThanOrEqual(30)
  })
})
