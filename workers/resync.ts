import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../src/config/config.ts'
import type { Repository } from '../src/oci/reference.ts'
import type { OpenRegistries } from '../src/roots/open-registries.ts'
import { decideResync } from '../src/policy/decide.ts'
import { projectOfLocal } from '../src/policy/matching.ts'
import { knownRepositories } from '../src/queue/resync/known-repositories.ts'
import { readHold } from '../src/pool/breaker.ts'
import { readAllowance } from '../src/pool/pull-allowance.ts'
import type { ReplicationQueues } from '../src/queue/queues.ts'
import { WalkPutOffError } from '../src/queue/resync/resync-worker.ts'
import { readCounts } from '../src/queue/records/upstream-status.ts'
import type { ReplicationRequest } from '../src/replication/request.ts'
import type { Reporter } from '../src/telemetry/reports/report.ts'

/** Waiting and put off jobs of an upstream above which a walk pauses: Redis holds them all. */
const MAX_UNFINISHED = 1_000
const LOOK_AGAIN_MS = 1_000

export interface ResyncParts {
  readonly config: () => Config
  readonly registries: OpenRegistries
  readonly queues: ReplicationQueues
  readonly reporter: Pick<Reporter, 'resyncEnded' | 'resyncFailed'>
}

interface Found {
  repositories: number
  listedBy: 'catalog' | 'memory'
  tags: number
  queued: number
}

/** One walk over what the local registry has of a project: each tag becomes a look at its upstream. */
export class Resync {
  readonly #parts: ResyncParts

  constructor(parts: ResyncParts) {
    this.#parts = parts
  }

  /** One that fails is not made again before the clock says so. */
  readonly walk = async (project: string, walkId: string, signal: AbortSignal): Promise<void> => {
    await this.walkWhole(project, walkId, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      if (error instanceof WalkPutOffError) throw error
    })
  }

  /** Rejects when it has failed, once that is reported. */
  async walkWhole(project: string, walkId: string, signal: AbortSignal): Promise<void> {
    const { reporter } = this.#parts
    const found: Found = { repositories: 0, listedBy: 'catalog', tags: 0, queued: 0 }
    const startedAt = Date.now()
    try {
      for await (const repository of this.#repositoriesOf(project, found, signal)) {
        found.repositories += 1
        const { tags, queued } = await this.#lookAt(repository, walkId, signal)
        found.tags += tags
        found.queued += queued
      }
      reporter.resyncEnded({ project, walkId, ...found, durationMs: Date.now() - startedAt })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof WalkPutOffError) throw error
      reporter.resyncFailed({ project, walkId, ...found, error })
      throw error
    }
  }

  async *#repositoriesOf(
    project: string,
    found: Found,
    signal: AbortSignal,
  ): AsyncIterable<Repository> {
    for await (const page of await this.#repositories(found, signal)) {
      for (const repository of page) {
        const { projects } = this.#parts.config()
        if (projectOfLocal(repository, projects)?.name === project) yield repository
      }
    }
  }

  /** A registry that does not list its repositories is walked by what was copied to it lately. */
  async #repositories(
    found: Found,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly Repository[]>> {
    const { registries, queues } = this.#parts
    const catalog = await registries.local.repositories(signal)
    found.listedBy = catalog === undefined ? 'memory' : 'catalog'
    return catalog ?? knownRepositories(queues.redis)
  }

  async #lookAt(repository: Repository, walkId: string, signal: AbortSignal) {
    const { config, registries } = this.#parts
    const found = { tags: 0, queued: 0 }
    for await (const page of registries.local.repository(repository).tags(signal)) {
      found.tags += page.length
      const { projects } = config()
      const requests = page.flatMap((tag) => {
        const decision = decideResync({ repository, tag, eventId: walkId }, projects)
        return decision.kind === 'replicate' ? [decision.request] : []
      })
      await this.enqueue(requests, signal)
      found.queued += requests.length
    }
    return found
  }

  /**
   * No faster than they are done.
   * @throws WalkPutOffError when none of them will be for a while: what it asks for then, it asks for once more
   */
  async enqueue(requests: readonly ReplicationRequest[], signal: AbortSignal): Promise<void> {
    const { queues } = this.#parts
    for (let at = 0; at < requests.length; at += MAX_UNFINISHED) {
      const some = requests.slice(at, at + MAX_UNFINISHED)
      const upstream = some[0]?.upstreams[0] ?? ''
      while ((await this.#unfinished(upstream)) > MAX_UNFINISHED) {
        if (await this.#isHeld(upstream)) throw new WalkPutOffError(upstream)
        await delay(LOOK_AGAIN_MS, undefined, { signal })
      }
      await queues.enqueue(some)
    }
  }

  async #isHeld(upstream: string): Promise<boolean> {
    const { queues } = this.#parts
    const hold = await readHold(queues.redis, upstream)
    return hold !== undefined || (await queues.of(upstream).isPaused())
  }

  /** What is put off because the upstream gives few pulls waits, too; what failed is not the walk's. */
  async #unfinished(upstream: string): Promise<number> {
    const { queues, config } = this.#parts
    const { waiting, delayed } = await readCounts(queues.of(upstream))
    const known = await readAllowance(queues.redis, upstream)
    const floor = config().upstreams.get(upstream)?.rateLimitFloor ?? 0
    return known !== undefined && known.remaining < floor ? waiting + delayed : waiting
  }
}
