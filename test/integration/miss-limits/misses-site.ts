import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { MissLimitsConfig } from '../../../src/config/config.ts'
import { ListLimits } from '../../../src/gateway/lists/list-limits.ts'
import { MissClients } from '../../../src/gateway/manifests/miss-clients.ts'
import { UpstreamLook } from '../../../src/gateway/manifests/upstream-look.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Repository, Tag } from '../../../src/oci/reference.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { LIMIT_PREFIX } from '../../../src/pool/miss-limits.ts'
import { isLimited } from '../../../src/queue/enqueued.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { readCounts } from '../../../src/queue/records/upstream-status.ts'
import type { JobContext, Replicate } from '../../../src/queue/work/job.ts'
import { Suspects } from '../../../src/queue/lost-workers/suspects.ts'
import { JobWorker } from '../../../src/queue/work/job-worker.ts'
import { HeldError } from '../../../src/queue/work/registry-guard.ts'
import { ReplicationError } from '../../../src/replication/errors.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'
import { lookLimits, unlimitedBy } from '../../../src/roots/gateway-limits.ts'
import { eventually } from '../../support/eventually.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { SILENT } from '../../support/given/silent-listener.ts'
import { MemoryRegistry } from '../../unit/replication/memory-registry.ts'

export const JOBS = {
  ...{ attempts: 1, backoffMs: 20, maxBackoffMs: 100 },
  keepCompleted: { ageMs: 60_000, count: 10_000 },
  keepFailed: { ageMs: 60_000, count: 100 },
}
// Slower than the configuration allows, so that none comes back on a machine under load.
export const SLOW = { burst: 4, perSecond: 0.1 }
export const LARGE = { burst: 10_000, perSecond: 1 }
const DIGEST = digestOf(Buffer.from('x'))
export const HEAD = { digest: DIGEST, mediaType: 'application/json' }

type Turn = Parameters<ReplicationQueues['limits']['turn']>

export function miss(tag: string, changes: Partial<ReplicationRequest> = {}): ReplicationRequest {
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

export function absent(count: number, changes: Partial<ReplicationRequest> = {}) {
  return Array.from({ length: count }, (_, i) => miss(`absent-${i}`, changes))
}

/** The queues of two upstreams whose misses are limited, and the workers that end their jobs. */
export class MissesSite implements AsyncDisposable {
  readonly redis: TestRedis
  /** How often the job of the tag `held` has run. */
  runsHeld = 0
  #queues: ReplicationQueues | undefined
  readonly #stop: (() => Promise<void> | void)[] = []

  constructor(redis: TestRedis) {
    this.redis = redis
  }

  get queues(): ReplicationQueues {
    if (this.#queues === undefined) throw new Error('nothing has been started')
    return this.#queues
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#stop.reverse()) await each()
    await this.redis[Symbol.asyncDispose]()
  }

  async start(misses: MissLimitsConfig): Promise<void> {
    const queues = (this.#queues = await this.openQueues(misses))
    const connection = openWorkerConnection(this.redis.url, () => undefined)
    this.#stop.push(() => {
      connection.disconnect()
    })
    for (const upstream of ['hq', 'lab']) {
      const worker = new JobWorker({
        backgroundWait: () => Promise.resolve(undefined),
        ...{ upstream, connection, queue: queues.of(upstream), concurrency: 8 },
        ...{ jobs: () => JOBS, misses: () => misses, replicate: this.#ending },
        ...{
          lookAgain: () => Promise.resolve(),
          breakers: new Breakers(connection, () => OUTAGES),
          suspects: new Suspects(),
          listener: SILENT,
        },
      })
      this.#stop.push(async () => {
        worker.handBack()
        await worker[Symbol.asyncDispose]()
      })
    }
  }

  async openQueues(misses: MissLimitsConfig): Promise<ReplicationQueues> {
    const { url } = this.redis
    const onError = () => undefined
    const upstreams = ['hq', 'lab']
    const opened = new ReplicationQueues({ url, upstreams, jobs: JOBS, misses, onError })
    this.#stop.push(() => opened[Symbol.asyncDispose]())
    await eventually(() => opened.ping().then(() => true))
    return opened
  }

  /** What became of it: the reason why it is held back, or that it is not. */
  async offered(request: ReplicationRequest, by = this.queues): Promise<string> {
    const [answer] = await by.offer([request])
    if (answer === undefined) throw new Error('no answer')
    if (isLimited(answer)) return answer.limited
    return answer.duplicate ? 'duplicate' : 'queued'
  }

  /** Asks for them one after the other, each once the one before it has ended. */
  async ask(requests: readonly ReplicationRequest[]): Promise<readonly string[]> {
    const answers: string[] = []
    for (const request of requests) {
      answers.push(await this.offered(request))
      await this.idle()
    }
    return answers
  }

  async idle(): Promise<void> {
    await eventually(async () => {
      const counts = await Promise.all(this.queues.all().map(([, queue]) => readCounts(queue)))
      return counts.every(({ waiting, active }) => waiting + active === 0)
    })
  }

  /** How what was held back goes on all the same; upstream has whatever is looked for. */
  passing() {
    const { queues } = this
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
  async listAsker() {
    const { queues } = this
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
  async fullAt(key: string): Promise<number> {
    return await this.queues.redis.pexpiretime(LIMIT_PREFIX + key)
  }

  async lacksOf(key: string): Promise<number> {
    return await this.queues.redis.pttl(LIMIT_PREFIX + key)
  }

  /** A tag says how its job ends: `absent-7`, `refused-1`; all others are there. */
  readonly #ending: Replicate = async ({ reference }, { signal, guard }): Promise<Outcome> => {
    const [kind] = reference.split('-')
    if (kind === 'held') await this.#foundThenHeld(reference, guard)
    if (kind === 'absent') return { kind: 'not-found', upstreams: ['hq'] }
    if (kind === 'refused') return { kind: 'refused', reason: 'no image' }
    if (kind === 'failing') throw new ReplicationError('it broke', { disposition: 'permanent' })
    if (kind === 'endless') await delay(600_000, undefined, { signal })
    return { kind: 'up-to-date', digest: DIGEST }
  }

  /** Upstream has it, and yet the job is put off, three times; that costs it no attempt. */
  async #foundThenHeld(reference: string, guard: JobContext['guard']): Promise<void> {
    const upstream = new MemoryRegistry('hq', 'team/app')
    upstream.manifests.set(DIGEST, { ...HEAD, bytes: Buffer.from('{}'), children: [], blobs: [] })
    upstream.tags.set(reference, DIGEST)
    const head = await guard(upstream).headManifest(reference as Tag, AbortSignal.timeout(5_000))
    expect(head).toBeDefined()
    this.runsHeld += 1
    const hold = { kind: 'down', reason: 'it is down', forMs: 50, since: 0 } as const
    if (this.runsHeld <= 3) throw new HeldError('hq', hold)
  }
}

export async function missesSite(): Promise<MissesSite> {
  return new MissesSite(await startRedis())
}
