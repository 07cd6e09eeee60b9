import type { ReplicationRequest } from '../replication/request.ts'
import type { Enqueued } from './enqueued.ts'
import { deduplicationId } from './payload.ts'

/** As much as Redis adds in some ten milliseconds: other commands must not wait longer. */
const MAX_BATCH = 200

type Add = (requests: readonly ReplicationRequest[]) => Promise<readonly Enqueued[]>

interface Waiting {
  readonly request: ReplicationRequest
  readonly resolve: (enqueued: Enqueued) => void
  readonly reject: (error: unknown) => void
}

/**
 * Hands requests to Redis in batches: what arrives while a batch is on its way goes with the next
 * one. A herd that misses one image costs one command, and many deliveries share a round trip.
 */
export class Gathering {
  readonly #add: Add
  #waiting: Waiting[] = []
  #sending = false

  constructor(add: Add) {
    this.#add = add
  }

  async add(request: ReplicationRequest): Promise<Enqueued> {
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

  async #send(batch: readonly Waiting[]): Promise<void> {
    const groups = grouped(batch)
    const added = await this.#add(groups.map(([first]) => first.request))
    groups.forEach((group, position) => {
      const result = added[position]
      if (result === undefined) return
      group.forEach(({ resolve }, i) => {
        resolve(i === 0 ? result : { ...result, duplicate: true })
      })
    })
  }
}

type Group = [first: Waiting, ...same: Waiting[]]

/** Misses of one image are one request; anything else may carry news of its own. */
function grouped(batch: readonly Waiting[]): readonly Group[] {
  const misses = new Map<string, Group>()
  const groups: Group[] = []
  for (const waiting of batch) {
    const id = waiting.request.trigger === 'miss' ? deduplicationId(waiting.request) : undefined
    const same = id === undefined ? undefined : misses.get(id)
    if (same !== undefined) {
      same.push(waiting)
      continue
    }
    const group: Group = [waiting]
    groups.push(group)
    if (id !== undefined) misses.set(id, group)
  }
  return groups
}
