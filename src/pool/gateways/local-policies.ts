import type { Redis } from 'ioredis'
import { inTime } from '../../waiting/in-time.ts'
import { asError } from '../../thrown.ts'

const KEY = 'pullsync:local-policies'
/** Another process may have seen one meanwhile. */
const REMEMBERED_MS = 1_000
const WITHIN_MS = 250
/** Projects that a process remembers; of others Redis is asked again. */
const MAX_REMEMBERED = 1_000

/**
 * The projects in which the local registry was ever seen to refuse what it holds, such as images that are not
 * signed; over all processes, without an end. Never rejects.
 */
export class LocalPolicies {
  readonly #redis: Redis
  readonly #onError: (error: Error) => void
  readonly #seen = new Set<string>()
  readonly #unseenUntil = new Map<string, number>()

  constructor(redis: Redis, onError: (error: Error) => void) {
    this.#redis = redis
    this.#onError = onError
  }

  /** True also when Redis does not say: too little for a moment is better than once too much. */
  async seen(project: string): Promise<boolean> {
    if (this.#seen.has(project)) return true
    if ((this.#unseenUntil.get(project) ?? 0) > performance.now()) return false
    const told = await inTime(
      this.#redis.sismember(KEY, project).catch((error: unknown) => {
        this.#failed(error)
      }),
      WITHIN_MS,
    )
    if (told === 0) this.#remember(project)
    return told !== 0
  }

  note(project: string): void {
    if (this.#seen.has(project)) return
    this.#seen.add(project)
    this.#redis.sadd(KEY, project).catch((error: unknown) => {
      this.#seen.delete(project)
      this.#failed(error)
    })
  }

  #remember(project: string): void {
    if (this.#unseenUntil.size >= MAX_REMEMBERED) this.#unseenUntil.clear()
    this.#unseenUntil.set(project, performance.now() + REMEMBERED_MS)
  }

  #failed(error: unknown): undefined {
    this.#onError(asError(error))
    return undefined
  }
}
