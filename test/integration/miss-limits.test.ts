import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MissLimitsConfig } from '../../src/config/config.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { Repository, Tag } from '../../src/oci/reference.ts'
import { Breakers } from '../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../src/pool/connection.ts'
import { isLimited } from '../../src/queue/enqueued.ts'
import { QueueUnavailableError } from '../../src/pool/redis-errors.ts'
import type { JobContext, Replicate } from '../../src/queue/work/job.ts'
import { JobWorker } from '../../src/queue/work/job-worker.ts'
import { HeldError } from '../../src/queue/work/registry-guard.ts'
import { ListLimits } from '../../src/gateway/lists/list-limits.ts'
import { MissClients } from '../../src/gateway/manifests/miss-clients.ts'
import { GATEWAY_SOURCE } from '../../src/gateway/manifests/misses.ts'
import { lookLimits, unlimitedBy } from '../../src/roots/gateway-limits.ts'
import { UpstreamLook } from '../../src/gateway/manifests/upstream-look.ts'
import { MemoryRegistry } from '../unit/replication/memory-registry.ts'
import { LIMIT_PREFIX } from '../../src/pool/miss-limits.ts'
import { ReplicationQueues } from '../../src/queue/queues.ts'
import { readCounts } from '../../src/queue/records/upstream-status.ts'
import { ReplicationError } from '../../src/replication/errors.ts'
import type { Outcome } from '../../src/replication/outcome.ts'
import type { ReplicationRequest } from '../../src/replication/request.ts'
import { eventually } from '../support/eventually.ts'
import { SILENT } from '../support/silent-listener.ts'
import { OUTAGES } from '../support/outages.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const JOBS = {
  ...{ attempts: 1, backoffMs: 20, maxBackoffMs: 100 },
  keepCompleted: { ageMs: 60_000, count: 10_000 },
  keepFailed: { ageMs: 60_000, count: 100 },
}
// Slower than the configuration allows, so that none comes back on a machine under load.
const SLOW = { burst: 4, perSecond: 0.1 }
const LARGE = { burst: 10_000, perSecond: 1 }
const DIGEST = digestOf(Buffer.from('x'))
const HEAD = { digest: DIGEST, mediaType: 'application/json' }

type Turn = Parameters<ReplicationQueues['limits']['turn']>

function miss(tag: string, changes: Partial<ReplicationRequest> = {}): ReplicationRequest {
  return {
    repository: 'team/app' as Repository,
    upstreamRepository: 'team/app' as Repository,
    reference: tag as Tag,
    upstreams: ['hq'],
    trigger: 'miss',
    onlyIfPresent: false,
    platforms: 'all',
    referrers: true,
    source: 'edge',
    eventId: 'event-1',
    ...changes,
  }
}

/** A tag says how its job ends: `absent-7`, `refused-1`; all others are there. */
const ending: Replicate = async ({ reference }, { signal, guard }): Promise<Outcome> => {
  const [kind] = reference.split('-')
  if (kind === 'held') await foundThenHeld(reference, guard)
  if (kind === 'absent') return { kind: 'not-found', upstreams: ['hq'] }
  if (kind === 'refused') return { kind: 'refused', reason: 'no image' }
  if (kind === 'failing') throw new ReplicationError('it broke', { disposition: 'permanent' })
  if (kind === 'endless') await delay(600_000, undefined, { signal })
  return { kind: 'up-to-date', digest: DIGEST }
}

let runsHeld = 0

/** Upstream has it, and yet the job is put off, three times; that costs it no attempt. */
async function foundThenHeld(reference: string, guard: JobContext['guard']): Promise<void> {
  const upstream = new MemoryRegistry('hq', 'team/app')
  upstream.manifests.set(DIGEST, { ...HEAD, bytes: Buffer.from('{}'), children: [], blobs: [] })
  upstream.tags.set(reference, DIGEST)
  const head = await guard(upstream).headManifest(reference as Tag, AbortSignal.timeout(5_000))
  expect(head).toBeDefined()
  runsHeld += 1
  const hold = { kind: 'down', reason: 'it is down', forMs: 50, since: 0 } as const
  if (runsHeld <= 3) throw new HeldError('hq', hold)
}

describe('misses that bring nothing', () => {
  let redis: TestRedis
  let queues: ReplicationQueues
  let stop: (() => Promise<void> | void)[]

  beforeEach(async () => {
    redis = await startRedis()
    stop = []
  })

  afterEach(async () => {
    for (const each of stop.reverse()) await each()
    await redis[Symbol.asyncDispose]()
  })

  async function start(misses: MissLimitsConfig): Promise<void> {
    queues = await openQueues(misses)
    const connection = openWorkerConnection(redis.url, () => undefined)
    stop.push(() => {
      connection.disconnect()
    })
    for (const upstream of ['hq', 'lab']) {
      const worker = new JobWorker({
        backgroundWait: () => Promise.resolve(undefined),
        ...{ upstream, connection, queue: queues.of(upstream), concurrency: 8 },
        ...{ jobs: () => JOBS, misses: () => misses, replicate: ending },
        ...{
          lookAgain: () => Promise.resolve(),
          breakers: new Breakers(connection, () => OUTAGES),
          listener: SILENT,
        },
      })
      stop.push(async () => {
        worker.handBack()
        await worker[Symbol.asyncDispose]()
      })
    }
  }

  async function openQueues(misses: MissLimitsConfig): Promise<ReplicationQueues> {
    const onError = () => undefined
    const upstreams = ['hq', 'lab']
    const opened = new ReplicationQueues({ url: redis.url, upstreams, jobs: JOBS, misses, onError })
    stop.push(() => opened[Symbol.asyncDispose]())
    await eventually(() => opened.ping().then(() => true))
    return opened
  }

  /** What became of it: the reason why it is held back, or that it is not. */
  async function offered(request: ReplicationRequest, by = queues): Promise<string> {
    const [answer] = await by.offer([request])
    if (answer === undefined) throw new Error('no answer')
    if (isLimited(answer)) return answer.limited
    return answer.duplicate ? 'duplicate' : 'queued'
  }

  /** Asks for them one after the other, each once the one before it has ended. */
  async function ask(requests: readonly ReplicationRequest[]): Promise<readonly string[]> {
    const answers: string[] = []
    for (const request of requests) {
      answers.push(await offered(request))
      await idle()
    }
    return answers
  }

  async function idle(): Promise<void> {
    await eventually(async () => {
      const counts = await Promise.all(queues.all().map(([, queue]) => readCounts(queue)))
      return counts.every(({ waiting, active }) => waiting + active === 0)
    })
  }

  function absent(count: number, changes: Partial<ReplicationRequest> = {}) {
    return Array.from({ length: count }, (_, i) => miss(`absent-${i}`, changes))
  }

  /** How what was held back goes on all the same; upstream has whatever is looked for. */
  function passing() {
    const onError = () => undefined
    const look = new UpstreamLook({
      source: () => ({ headManifest: () => Promise.resolve(HEAD) }),
      limits: lookLimits(queues.limits, onError),
      holdOf: () => Promise.resolve(undefined),
      onError,
    })
    return unlimitedBy({ queues, look })
  }

  /** Of a client that asks the gateway for a list of the same repository. */
  async function listAsker() {
    const missClients = new MissClients({
      addressOf: () => '10.1.2.3',
      local: () => {
        throw new Error('a client without a name is nobody that the registry is asked about')
      },
    })
    const repository = 'team/app' as Repository
    const request = { headers: {}, socket: {} }
    const forwarded = { method: 'GET', path: '/v2/team/app/tags/list', headers: [] }
    const { signal } = new AbortController()
    const limits = lookLimits(queues.limits, () => undefined)
    const heldBack = { turn: (...asked: Turn) => queues.limits.turn(...asked) }
    const asker = new ListLimits({ limits, heldBack, missClients }).asker(
      { request, forwarded, repository, signal },
      ['hq'],
    )
    const client = await missClients.nameOf(request, { repository, forwarded }, signal)
    // What is settled is sent when its client is known, and Redis answers in order.
    const settled = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      await queues.redis.ping()
    }
    return { client, asker: { ...asker, settled } }
  }

  /** When nothing of it will be missing, in milliseconds since 1970. */
  async function fullAt(key: string): Promise<number> {
    return await queues.redis.pexpiretime(LIMIT_PREFIX + key)
  }

  async function lacksOf(key: string): Promise<number> {
    return await queues.redis.pttl(LIMIT_PREFIX + key)
  }

  it('are held back once their repository has asked for as many as its bucket holds', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })

    expect(await ask(absent(4))).toEqual(Array.from({ length: 4 }, () => 'queued'))

    expect(await offered(miss('absent-4'))).toBe('repository-limited')
    expect(await offered(miss('absent-5', { source: 'gateway' }))).toBe('repository-limited')
    expect(await offered(miss('1.0', { repository: 'team/b' as Repository }))).toBe('queued')
    expect(await offered(miss('1.0', { upstreams: ['lab'] }))).toBe('queued')
  })

  it('are counted for each client of a source, where it tells them apart', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })

    await ask(absent(4, { client: 'a scanner' }))

    expect(await offered(miss('1.0', { client: 'a scanner' }))).toBe('repository-limited')
    const elsewhere = { client: 'a scanner', repository: 'team/b' as Repository }
    expect(await offered(miss('1.0', elsewhere))).toBe('source-limited')
    expect(await offered(miss('1.0', { client: 'another' }))).toBe('queued')
    expect(await offered(miss('2.0'))).toBe('queued')
  })

  it('are let in, of one client, up to what its bucket holds, and cost nothing when upstream has it', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })
    const client = 'a cluster'

    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) => offered(miss(`v${n}`, { client }))),
    )

    expect(answers.filter((answer) => answer === 'queued')).toHaveLength(4)
    expect(answers.filter((answer) => answer === 'repository-limited')).toHaveLength(2)
    await idle()
    await eventually(async () => (await lacksOf(`repository:hq/team/app ${client}`)) === -2)
  })

  it('are one job when many clients miss the same at once, but for those that are held back', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })
    await ask(absent(4, { client: 'client 0' }))

    const answers = await queues.offer(
      Array.from({ length: 100 }, (_, i) => miss('endless', { client: `client ${i}` })),
    )

    expect(answers[0]).toEqual({ limited: 'repository-limited' })
    const queued = answers.flatMap((answer) => (isLimited(answer) ? [] : [answer]))
    expect(queued).toHaveLength(99)
    expect(new Set(queued.map(({ jobId }) => jobId)).size).toBe(1)
    expect(queued.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
  })

  it('give back nothing that they did not take, however often the same is missed', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await ask(absent(3, { client }))
    await offered(miss('endless', { client }))

    const again = [1, 2, 3, 4, 5].map(() => offered(miss('endless', { client })))

    expect(await Promise.all(again)).toEqual(again.map(() => 'duplicate'))
    expect(await offered(miss('absent-9', { client }))).toBe('repository-limited')
    const elsewhere = { client, repository: 'team/b' as Repository }
    expect(await offered(miss('absent-9', elsewhere))).toBe('source-limited')
  })

  it('get nothing back where they passed empty buckets, when upstream is looked at', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await ask(absent(4, { client }))
    const { look } = passing()

    const { signal } = new AbortController()
    for (const n of [1, 2, 3, 4]) await look(miss(`v${n}`, { client }), signal)

    const elsewhere = { client, repository: 'team/b' as Repository }
    expect(await offered(miss('1.0', elsewhere))).toBe('source-limited')
    expect(await offered(miss('1.0', { client }))).toBe('repository-limited')
  })

  it('get nothing back where they passed empty buckets, when their jobs end', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await ask(absent(4, { client }))
    const { offer } = passing()

    for (const n of [1, 2, 3, 4]) await offer(miss(`v${n}`, { client }))
    await idle()

    const elsewhere = { client, repository: 'team/b' as Repository }
    expect(await offered(miss('1.0', elsewhere))).toBe('source-limited')
    expect(await offered(miss('1.0', { client }))).toBe('repository-limited')
  })

  it('get nothing back where they passed empty buckets, when a list is looked at', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const { client, asker } = await listAsker()
    await ask(absent(4, { client, source: GATEWAY_SOURCE }))
    const before = await fullAt(`repository:hq/team/app ${client}`)

    expect(await asker.mayAsk()).toBe(true)
    asker.answered(false)
    await asker.settled()

    expect(await fullAt(`repository:hq/team/app ${client}`)).toBe(before)
  })

  it('get back what a list of theirs took when upstream has something of it', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const { client, asker } = await listAsker()
    await ask(absent(1, { client, source: GATEWAY_SOURCE }))
    const before = await fullAt(`repository:hq/team/app ${client}`)

    expect(await asker.mayAsk()).toBe(true)
    expect(await fullAt(`repository:hq/team/app ${client}`)).toBe(before + 10_000)
    asker.answered(false)
    await asker.settled()

    // Redis has read its clock twice.
    expect(await fullAt(`repository:hq/team/app ${client}`)).toBeLessThan(before + 1_000)
  })

  it('get nothing back that Redis, which was away, did not take of them', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a cluster'
    await ask(absent(3, { client }))
    const before = await fullAt(`repository:hq/team/app ${client}`)
    const look = new UpstreamLook({
      source: () => ({
        headManifest: async () => {
          await redis.start()
          await eventually(() => queues.ping().then(() => true))
          return HEAD
        },
      }),
      limits: lookLimits(queues.limits, () => undefined),
      holdOf: () => Promise.resolve(undefined),
      onError: () => undefined,
    })
    await redis.stop()

    expect(await look.head(miss('v1', { client }))).toEqual(HEAD)
    await queues.ping()

    expect(await fullAt(`repository:hq/team/app ${client}`)).toBe(before)
  })

  it('pay, where they passed empty buckets, once upstream does not have them', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a scanner'
    await ask(absent(4, { client }))

    for (const n of [5, 6, 7]) await passing().offer(miss(`absent-${n}`, { client }))
    await idle()

    expect(await lacksOf(`repository:hq/team/app ${client}`)).toBeGreaterThan(40_000)
  })

  it('get back once what they took, however often their job is put off', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const client = 'a cluster'
    await ask(absent(3, { client }))
    runsHeld = 0

    await ask([miss('held', { client })])
    await eventually(() => Promise.resolve(runsHeld === 4))
    await idle()

    for (const key of [`repository:hq/team/app ${client}`, `source:edge ${client}`]) {
      expect(await lacksOf(key)).toBeGreaterThan(20_000)
      expect(await lacksOf(key)).toBeLessThanOrEqual(30_000)
    }
  })

  it('have turns, one each second, whatever the bucket owes, and no more than two seconds of them', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })
    await ask(absent(4))

    const waits = [1, 2, 3, 4].map((n) =>
      queues.limits.turn(miss(`absent-${n}`), 'repository-limited'),
    )

    const [first, second, third, fourth] = await Promise.all(waits)
    expect(first).toBe(0)
    expect(second).toBeGreaterThan(0)
    expect(second).toBeLessThanOrEqual(1_000)
    expect(third).toBeGreaterThan(second ?? 0)
    expect(third).toBeLessThanOrEqual(2_000)
    expect(fourth).toBeUndefined()
  })

  it('are held back once their source has, in whatever repositories', async () => {
    await start({ perSource: SLOW, perRepository: LARGE })
    const repositories = ['a', 'b', 'c', 'd'].map((name) => `team/${name}` as Repository)

    await ask(repositories.map((repository) => miss('absent', { repository })))

    expect(await offered(miss('1.0'))).toBe('source-limited')
    expect(await offered(miss('1.0', { source: 'gateway' }))).toBe('queued')
  })

  it('are known to every process, at once', async () => {
    const limits = { perSource: LARGE, perRepository: SLOW }
    await start(limits)
    await ask(absent(4))
    const another = await openQueues(limits)

    expect(await offered(miss('absent-9'), another)).toBe('repository-limited')
  })

  it('are asked for again when tokens are back', async () => {
    await start({ perSource: LARGE, perRepository: { burst: 2, perSecond: 0.5 } })
    await ask(absent(2))
    expect(await offered(miss('absent-8'))).toBe('repository-limited')

    await eventually(async () => (await offered(miss('1.0'))) === 'queued')

    expect(await lacksOf('repository:hq/team/app')).toBeLessThanOrEqual(2_000)
  })

  it('leave nothing in Redis once the buckets are full again', async () => {
    await start({ perSource: LARGE, perRepository: { burst: 20, perSecond: 20 } })
    await ask(absent(3))
    expect(await lacksOf('repository:hq/team/app')).toBeLessThanOrEqual(150)

    await eventually(async () => (await lacksOf('repository:hq/team/app')) === -2)
  })

  it('owe a bucket at the most when many were queued before it was empty', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })

    await queues.offer(absent(100))
    await idle()

    expect(await lacksOf('repository:hq/team/app')).toBeGreaterThan(40_000)
    expect(await lacksOf('repository:hq/team/app')).toBeLessThanOrEqual(80_000)
    // The source does not pay for what one repository brings on top.
    expect(await lacksOf('source:edge')).toBeLessThanOrEqual(4_000)
  })

  it('are no reason to hold back an image that is on its way, or has just come', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })
    await ask([miss('1.0')])
    await queues.offer([miss('endless')])
    for (const request of absent(4)) await queues.limits.take(request)

    expect(await offered(miss('endless'))).toBe('duplicate')
    expect(await offered(miss('1.0'))).toBe('duplicate')
    expect(await offered(miss('2.0'))).toBe('repository-limited')
  })

  it('hold back misses alone', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    await ask(absent(4))

    const others = ['manual', 'push', 'delete', 'revalidate', 'resync'] as const
    const answers = others.map((trigger) => offered(miss(`of-${trigger}`, { trigger })))

    expect(await Promise.all(answers)).toEqual(others.map(() => 'queued'))
    expect(await queues.enqueue([miss('by-hand')])).toMatchObject([{ duplicate: false }])
  })

  it('are not what others bring, and not what ends in any other way', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const others = ['manual', 'push', 'revalidate', 'resync'] as const

    await ask(others.map((trigger) => miss(`absent-${trigger}`, { trigger })))
    await ask(['failing-1', 'failing-2', 'refused-1', 'refused-2', '1.0'].map((tag) => miss(tag)))

    expect(await queues.redis.keys(`${LIMIT_PREFIX}*`)).toEqual([])
  })

  it('are not a thousand misses of what upstream has', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    const wanted = Array.from({ length: 1_000 }, (_, i) => miss(`v${i}`))

    const answers = await Promise.all(wanted.map((request) => offered(request)))
    await idle()

    expect(answers.filter((answer) => answer !== 'queued')).toEqual([])
    expect(await queues.redis.keys(`${LIMIT_PREFIX}*`)).toEqual([])
    expect(await offered(miss('one-more'))).toBe('queued')
  })

  it('are judged by the limits of this moment', async () => {
    await start({ perSource: LARGE, perRepository: SLOW })
    await ask(absent(4))
    expect(await offered(miss('absent-9'))).toBe('repository-limited')

    queues.configure(['hq', 'lab'], {
      ...{ jobs: JOBS, misses: { perSource: LARGE, perRepository: LARGE } },
    })

    expect(await offered(miss('absent-9'))).toBe('queued')
  })

  it('cost what is no miss nothing, and are not queued while Redis is away', async () => {
    await start({ perSource: SLOW, perRepository: SLOW })
    await redis.stop()

    expect(await queues.limits.check([miss('1.0', { trigger: 'push' })])).toEqual([undefined])
    await expect(queues.offer([miss('1.0')])).rejects.toThrow(QueueUnavailableError)
  })
})
