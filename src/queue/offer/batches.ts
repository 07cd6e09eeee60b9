import type { ReplicationRequest } from '../../replication/request.ts'
import { isLimited, type Offered } from '../enqueued.ts'
import { deduplicationId } from '../stored-request.ts'

/** As much as Redis adds in some ten milliseconds: other commands must not wait longer. */
const MAX_BATCH = 200

type Add<Result> = (requests: readonly ReplicationRequest[]) => Promise<readonly Result[]>

type AddTo<Result> = (
  upstream: string,
  requests: readonly ReplicationRequest[],
) => Promise<readonly Result[]>

interface Waiting<Result> {
  readonly request: ReplicationRequest
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * Hands requests to Redis in batches: what arrives while a batch is on its way goes with the next
 * one. A herd that misses one image costs one command, and many deliveries share a round trip.
 */
export class Batcher<Result extends Offered> {
  readonly #add: Add<Result>
  #waiting: Waiting<Result>[] = []
  #sending = false

  constructor(add: Add<Result>) {
    this.#add = add
  }

  async add(request: ReplicationRequest): Promise<Result> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject })
      if (!this.#sending) void this.#sendAll()
    })
  }

  async #sendAll(): Promise<void> {
    this.#sending = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, MAX_BATCH)
      try {
        await this.#send(batch)
      } catch (error) {
        // Whoever is still waiting would only wait for the same silence once more.
        for (const { reject } of [...batch, ...this.#waiting.splice(0)]) reject(error)
      }
    }
    this.#sending = false
  }

  async #send(batch: readonly Waiting<Result>[]): Promise<void> {
    const groups = grouped(batch)
    const added = await this.#add(groups.map(([first]) => first.request))
    groups.forEach((group, position) => {
      const result = added[position]
      if (result === undefined) return
      group.forEach(({ resolve }, i) => {
        resolve(i === 0 || isLimited(result) ? result : { ...result, duplicate: true })
      })
    })
  }
}

/** A `Batcher` for each upstream, the first of those that a request names. */
export class Batchers<Result extends Offered> {
  readonly #add: AddTo<Result>
  readonly #perUpstream = new Map<string, Batcher<Result>>()

  constructor(add: AddTo<Result>) {
    this.#add = add
  }

  async add(request: ReplicationRequest): Promise<Result> {
    return await this.#of(request.upstreams[0]).add(request)
  }

  #of(upstream: string): Batcher<Result> {
    const known = this.#perUpstream.get(upstream)
    if (known !== undefined) return known
    const gathering = new Batcher<Result>((requests) => this.#add(upstream, requests))
    this.#perUpstream.set(upstream, gathering)
    return gathering
  }
}

type Group<Result> = [first: Waiting<Result>, ...same: Waiting<Result>[]]

/** Misses of one image that one client makes are one request; anything else may carry news of its own. */
function grouped<Result>(batch: readonly Waiting<Result>[]): readonly Group<Result>[] {
  const misses = new Map<string, Group<Result>>()
  const groups: Group<Result>[] = []
  for (const waiting of batch) {
    const id = missId(waiting.request)
    const same = id === undefined ? undefined : misses.get(id)
    if (same !== undefined) {
      same.push(waiting)
      continue
    }
    const group: Group<Result> = [waiting]
    groups.push(group)
    if (id !== undefined) misses.set(id, group)
  }
  return groups
}

function missId(request: ReplicationRequest): string | undefined {
  const { trigger, source = '', client = '' } = request
  return trigger === 'miss' ? `${source} ${client} ${deduplicationId(request)}` : undefined
}
