import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import type { Repository } from '../../src/oci/reference.ts'
import { RedisBlobLedger } from '../../src/queue/redis-blob-ledger.ts'
import { eventually } from '../support/eventually.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const BLOB = digestOf(Buffer.from('a blob'))
const repository = (name: string) => name as Repository

describe('the blob ledger in Redis', () => {
  let server: TestRedis
  let redis: Redis
  let ledger: RedisBlobLedger
  let other: RedisBlobLedger
  let errors: Error[]

  beforeEach(async () => {
    server = await startRedis()
    redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
    redis.on('error', () => undefined)
    errors = []
    const note = (error: Error) => errors.push(error)
    ledger = new RedisBlobLedger(redis, note)
    other = new RedisBlobLedger(redis, note)
  })

  afterEach(async () => {
    redis.disconnect()
    await server[Symbol.asyncDispose]()
  })

  it('gives the right to bring a blob to one worker at a time', async () => {
    const lease = await ledger.lease(BLOB)
    expect(lease).toBeDefined()
    expect(await other.lease(BLOB)).toBeUndefined()
    expect(await other.isLeased(BLOB)).toBe(true)

    await lease?.[Symbol.asyncDispose]()

    expect(await other.isLeased(BLOB)).toBe(false)
    const next = await other.lease(BLOB)
    expect(next).toBeDefined()
    await next?.[Symbol.asyncDispose]()
  })

  it('lets the right of a worker that died lapse within seconds', async () => {
    const lease = await ledger.lease(BLOB)
    const lapsesIn = await redis.pttl(`pullsync:lease:${BLOB}`)

    expect(lapsesIn).toBeGreaterThan(0)
    expect(lapsesIn).toBeLessThanOrEqual(6_000)
    await lease?.[Symbol.asyncDispose]()
  })

  it('keeps the right of a worker that lives up by a heartbeat', async () => {
    const lease = await ledger.lease(BLOB)
    await redis.pexpire(`pullsync:lease:${BLOB}`, 4_000)

    await eventually(async () => (await redis.pttl(`pullsync:lease:${BLOB}`)) > 4_000)

    await lease?.[Symbol.asyncDispose]()
  })

  it('does not keep up a right that another worker has got meanwhile', async () => {
    const lapsed = await ledger.lease(BLOB)
    await redis.set(`pullsync:lease:${BLOB}`, 'of another worker', 'PX', 4_000)

    await eventually(async () => (await redis.pttl(`pullsync:lease:${BLOB}`)) < 1_500)

    await lapsed?.[Symbol.asyncDispose]()
  })

  it('does not end a right that another worker has got meanwhile', async () => {
    const lapsed = await ledger.lease(BLOB)
    await redis.del(`pullsync:lease:${BLOB}`)
    const current = await other.lease(BLOB)

    await lapsed?.[Symbol.asyncDispose]()

    expect(await ledger.isLeased(BLOB)).toBe(true)
    await current?.[Symbol.asyncDispose]()
  })

  it('remembers the latest few holders and forgets those that were proven wrong', async () => {
    for (const name of ['team/a', 'team/b', 'team/c', 'team/d', 'team/e']) {
      await redis.zadd(`pullsync:blob:${BLOB}`, name.charCodeAt(5), name)
    }
    await ledger.landed(BLOB, repository('team/f'))
    expect(await other.holders(BLOB)).toEqual(['team/f', 'team/e', 'team/d', 'team/c'])

    await other.notThere(BLOB, repository('team/e'))

    expect(await ledger.holders(BLOB)).toEqual(['team/f', 'team/d', 'team/c'])
  })

  it('knows nothing and hinders nobody while Redis is away', async () => {
    await server.stop()

    expect(await ledger.holders(BLOB)).toEqual([])
    expect(await ledger.isLeased(BLOB)).toBe(false)
    const lease = await ledger.lease(BLOB)
    expect(lease).toBeDefined()
    await lease?.[Symbol.asyncDispose]()
    expect(errors.length).toBeGreaterThan(0)
  })
})
