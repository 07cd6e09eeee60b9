import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { parseManifest } from '../../../src/oci/manifest.ts'
import type { Repository, Tag } from '../../../src/oci/reference.ts'
import { Breakers, endHold, readHold } from '../../../src/pool/breaker.ts'
import { TokenBuckets } from '../../../src/pool/buckets/token-buckets.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { InFlight } from '../../../src/pool/in-flight.ts'
import { OpenUploads } from '../../../src/pool/open-uploads.ts'
import { backgroundWait } from '../../../src/pool/pull-allowance.ts'
import { deduplicationKey } from '../../../src/queue/endings.ts'
import { SetBackClock } from '../../../src/queue/set-back-clock.ts'
import { eventually } from '../../support/eventually.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { replicationRequest } from '../../support/given/replication-request.ts'
import { COPIED, queueSite, type QueueSite } from '../queue/queue-site.ts'

const HOUR = 3_600_000
const nothing = () => undefined

let site: QueueSite

beforeEach(async () => {
  site = await queueSite()
})

afterEach(() => site[Symbol.asyncDispose]())

/** What is kept as a time to live lasts so much longer then. */
async function setBack(...keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const left = await site.queues.redis.pttl(key)
    expect(left).toBeGreaterThan(0)
    await site.queues.redis.pexpire(key, left + HOUR)
  }
}

/** What is kept as a moment is so much further off. */
async function setBackField(key: string, field: string): Promise<void> {
  const at = Number(await site.queues.redis.hget(key, field))
  expect(at).toBeGreaterThan(0)
  await site.queues.redis.hset(key, field, at + HOUR)
}

const lasts = (key: string) => site.queues.redis.pttl(site.queues.of('hq').toKey(key))

function watchClock(): void {
  const connection = openWorkerConnection(site.redis.url, nothing)
  const upstreams = () => ['hq']
  const clock = new SetBackClock({ connection, upstreams, onError: nothing, everyMs: 20 })
  onTestFinished(() => {
    clock[Symbol.dispose]()
    connection.disconnect()
  })
}

describe("after Redis' clock was set back by an hour", () => {
  it('a registry that is held is asked again when it said, and its probe keeps nobody out for longer than it may', async () => {
    const breakers = new Breakers(site.queues.redis, () => OUTAGES)
    await breakers.failed('hq', { kind: 'held', reason: 'answered 429', forMs: 200 })
    await setBackField('pullsync:breaker:hq', 'until')

    expect((await readHold(site.queues.redis, 'hq'))?.forMs).toBeLessThanOrEqual(200)
    await eventually(async () => (await breakers.admit('hq')).kind === 'probe')

    await setBackField('pullsync:breaker:hq', 'probeUntil')
    await breakers.admit('hq')
    const until = Number(await site.queues.redis.hget('pullsync:breaker:hq', 'probeUntil'))
    expect(until - Date.now()).toBeLessThan(100_000)
  })

  it('jobs wait no longer than the registry is held', async () => {
    const breakers = new Breakers(site.queues.redis, () => OUTAGES)
    const queue = site.queues.of('hq')
    await breakers.failed('hq', { kind: 'held', reason: 'answered 429', forMs: 60_000 })
    await queue.rateLimit(60_000)
    await setBack(queue.toKey('limiter'))
    watchClock()

    await eventually(async () => (await lasts('limiter')) <= 60_000)
    expect(await lasts('limiter')).toBeGreaterThan(1_000)

    await endHold(site.queues.redis, 'hq')
    await eventually(async () => (await lasts('limiter')) <= 1_000)
  })

  it('jobs of a worker that died are taken over as soon as ever', async () => {
    const queue = site.queues.of('hq')
    const [job] = await site.queues.enqueue([replicationRequest()])
    const id = job?.jobId ?? ''
    // As a worker leaves it that is killed.
    const dead = openWorkerConnection(site.redis.url, nothing)
    const key = queue.toKey(id)
    await dead.zrem(queue.toKey('prioritized'), id)
    await dead.lpush(queue.toKey('active'), id)
    await dead.set(`${key}:lock`, 'token', 'PX', 100)
    await dead.set(queue.toKey('stalled-check'), '1', 'PX', 100)
    dead.disconnect()
    await setBack(`${key}:lock`, queue.toKey('stalled-check'))
    watchClock()

    await eventually(async () => (await lasts(`${id}:lock`)) <= 10_000)
    await eventually(async () => (await lasts('stalled-check')) <= 5_000)
  })

  it('how a job ended answers misses of its image no longer than ever', async () => {
    const queue = site.queues.of('hq')
    site.startWorker(() => Promise.resolve(COPIED))
    const miss = replicationRequest({ trigger: 'miss' })
    await site.queues.enqueue([miss])
    await eventually(async () => (await site.jobs('completed')).length === 1)
    const key = deduplicationKey(queue, 'team/app:1.0')
    await setBack(key)

    await site.queues.enqueue([miss])

    expect(await site.queues.redis.pttl(key)).toBeLessThanOrEqual(30_000)
  })

  it('misses that brought nothing are held back for no longer than a bucket takes to fill', async () => {
    const buckets = new TokenBuckets(site.queues.redis)
    const bucket = { key: 'pullsync:limit:source:edge', burst: 2, perSecond: 10 }
    const entry = { buckets: [bucket], takes: true }
    await buckets.admit([entry, entry])
    await setBack(bucket.key)
    expect((await buckets.admit([entry]))[0]?.empty).toBe(bucket)

    await eventually(async () => (await buckets.admit([entry]))[0]?.empty === undefined)

    await buckets.turn(bucket)
    await setBack(`${bucket.key}:turns`)
    await buckets.turn(bucket)
    expect(await site.queues.redis.pttl(`${bucket.key}:turns`)).toBeLessThanOrEqual(4_000)
  })

  it('somebody looks again whether an upstream gives more pulls', async () => {
    const known = JSON.stringify({ limit: 100, remaining: 1, windowMs: 6 * HOUR })
    await site.queues.redis.set('pullsync:allowance:hq', known)
    const wait = () =>
      backgroundWait(site.queues.redis, { upstream: 'hq', floor: () => 20, lookEveryMs: 100 })
    expect(await wait()).toBeUndefined()
    await setBack('pullsync:allowance-look:hq')

    expect(await wait()).toMatchObject({ remaining: 1 })
    await eventually(async () => (await wait()) === undefined)
  })

  it('what a tag was when it was copied is forgotten as soon as ever', async () => {
    const inFlight = new InFlight(site.queues.redis, nothing)
    const repository = 'team/app' as Repository
    const reference = '1.0' as Tag
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    const bytes = Buffer.from('{"schemaVersion":2,"manifests":[]}')
    const manifest = parseManifest(bytes, mediaType, digestOf(bytes))
    if (!manifest.ok) throw new Error(manifest.reason)
    const told = { repository, reference, manifest: manifest.value, upstream: 'hq' }
    await inFlight.ended('job', await inFlight.publish('job', told))
    await setBack('pullsync:coming:team/app:1.0')

    await inFlight.manifest(repository, reference)

    expect(await site.queues.redis.ttl('pullsync:coming:team/app:1.0')).toBeLessThanOrEqual(30)
  })

  it('an upload that a dead worker left is claimed as soon as ever, and is not older or younger for that', async () => {
    const uploads = new OpenUploads(site.queues.redis, nothing)
    onTestFinished(() => {
      uploads[Symbol.dispose]()
    })
    const digest = digestOf(Buffer.from('layer'))
    const name = 'team/app http://127.0.0.1:5000/v2/team/app/blobs/uploads/one'
    const begun = Date.now() + HOUR
    const facts = `${begun} team/app ${digest} http://127.0.0.1:5000/v2/team/app/blobs/uploads/one?_state=x`
    await site.queues.redis.hset('pullsync:uploads:facts', name, facts)
    await site.queues.redis.zadd('pullsync:uploads', begun, name)

    expect(await uploads.claim()).toEqual([])

    const until = Number(await site.queues.redis.zscore('pullsync:uploads', name))
    expect(until - Date.now()).toBeLessThanOrEqual(20_000)
    await site.queues.redis.zadd('pullsync:uploads', 0, name)
    expect(await uploads.claim()).toMatchObject([{ name, ageMs: 0 }])
  })
})
