import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { RedisBlobLedger } from '../../../src/pool/redis-blob-ledger.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const BLOB = digestOf(Buffer.from('a blob'))
const transfer = () => ({ holder: randomUUID(), origin: 'hq', bytes: 0 })
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
    const lease = await ledger.lease(BLOB, transfer())
    expect(lease).toBeDefined()
    expect(await other.lease(BLOB, transfer())).toBeUndefined()
    expect((await other.look(BLOB)).coming).toBeDefined()

    await lease?.[Symbol.asyncDispose]()

    expect((await other.look(BLOB)).coming).toBeUndefined()
    const next = await other.lease(BLOB, transfer())
    expect(next).toBeDefined()
    await next?.[Symbol.asyncDispose]()
  })

  it('lets the right of a worker that died lapse within seconds', async () => {
    const lease = await ledger.lease(BLOB, transfer())
    const lapsesIn = await redis.pttl(`pullsync:lease:${BLOB}`)

    expect(lapsesIn).toBeGreaterThan(0)
    expect(lapsesIn).toBeLessThanOrEqual(6_000)
    await lease?.[Symbol.asyncDispose]()
  })

  it("lets it lapse within seconds also when Redis' clock was set back by an hour", async () => {
    await redis.set(`pullsync:lease:${BLOB}`, `${randomUUID()} 0 hq`, 'PX', 3_600_000)

    expect((await other.look(BLOB)).coming).toBeDefined()

    expect(await redis.pttl(`pullsync:lease:${BLOB}`)).toBeLessThanOrEqual(6_000)
  })

  it('keeps the right of a worker that lives up by a heartbeat', async () => {
    const lease = await ledger.lease(BLOB, transfer())
    await redis.pexpire(`pullsync:lease:${BLOB}`, 4_000)

    await eventually(async () => (await redis.pttl(`pullsync:lease:${BLOB}`)) > 4_000)

    await lease?.[Symbol.asyncDispose]()
  })

  it('does not keep up a right that another worker has got meanwhile', async () => {
    const lapsed = await ledger.lease(BLOB, transfer())
    await redis.set(`pullsync:lease:${BLOB}`, 'of another worker', 'PX', 4_000)

    await eventually(async () => (await redis.pttl(`pullsync:lease:${BLOB}`)) < 1_500)

    await lapsed?.[Symbol.asyncDispose]()
  })

  it('does not end a right that another worker has got meanwhile', async () => {
    const lapsed = await ledger.lease(BLOB, transfer())
    await redis.del(`pullsync:lease:${BLOB}`)
    const current = await other.lease(BLOB, transfer())

    await lapsed?.[Symbol.asyncDispose]()

    expect((await ledger.look(BLOB)).coming).toBeDefined()
    await current?.[Symbol.asyncDispose]()
  })

  it('tells how far whoever brings a blob is, and from where', async () => {
    const state = transfer()
    const lease = await ledger.lease(BLOB, state)
    expect((await other.look(BLOB)).coming).toEqual(state)

    state.bytes = 4_711

    await eventually(async () => (await other.look(BLOB)).coming?.bytes === 4_711)
    await lease?.[Symbol.asyncDispose]()
  })

  it('gives the right of one that is not waited for to one other, who keeps it', async () => {
    const slow = transfer()
    const lease = await ledger.lease(BLOB, slow)
    const [second, third] = [transfer(), transfer()]

    const taken = await other.lease(BLOB, second, slow.holder)

    expect(taken).toBeDefined()
    expect(await other.lease(BLOB, third, slow.holder)).toBeUndefined()
    await lease?.[Symbol.asyncDispose]()
    expect((await ledger.look(BLOB)).coming).toEqual(second)
    await taken?.[Symbol.asyncDispose]()
  })

  it('gives the right with those who hold the blob, and ends it with who holds it now', async () => {
    await ledger.landed(BLOB, repository('team/a'))
    const lease = await ledger.lease(BLOB, transfer())
    expect(lease?.holders).toEqual(['team/a'])

    await lease?.landed(repository('team/b'))

    expect(await other.look(BLOB)).toEqual({ holders: ['team/b', 'team/a'] })
    expect(await other.isGivenBy(BLOB, 'hq')).toBe(true)
    const next = await other.lease(BLOB, transfer())
    await lease?.[Symbol.asyncDispose]()
    expect((await ledger.look(BLOB)).coming).toBeDefined()
    await next?.[Symbol.asyncDispose]()
  })

  it('knows which upstreams have given a blob', async () => {
    await ledger.givenBy(BLOB, 'hq')

    expect(await other.isGivenBy(BLOB, 'hq')).toBe(true)
    expect(await other.isGivenBy(BLOB, 'lab')).toBe(false)
  })

  it('remembers the latest few holders and forgets those that were proven wrong', async () => {
    for (const name of ['team/a', 'team/b', 'team/c', 'team/d', 'team/e']) {
      await redis.zadd(`pullsync:blob:${BLOB}`, name.charCodeAt(5), name)
    }
    await ledger.landed(BLOB, repository('team/f'))
    expect((await other.look(BLOB)).holders).toEqual(['team/f', 'team/e', 'team/d', 'team/c'])

    await other.notThere(BLOB, repository('team/e'))

    expect((await ledger.look(BLOB)).holders).toEqual(['team/f', 'team/d', 'team/c'])
  })

  it('knows nothing and hinders nobody while Redis is away', async () => {
    await server.stop()

    expect((await ledger.look(BLOB)).holders).toEqual([])
    expect((await ledger.look(BLOB)).coming).toBeUndefined()
    const lease = await ledger.lease(BLOB, transfer())
    expect(lease).toBeDefined()
    await lease?.[Symbol.asyncDispose]()
    expect(errors.length).toBeGreaterThan(0)
  })
})
