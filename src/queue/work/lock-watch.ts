/** Redis did not hear from this worker for as long as its lock on the job lasts: another may run it. */
export class LostRightError extends Error {
  override readonly name = 'LostRightError'
}

export interface WatchedLock extends Disposable {
  /** Aborted with a LostRightError when the lock is lost. */
  readonly signal: AbortSignal
}

interface Watched {
  readonly timer: NodeJS.Timeout
  lose(): void
}

/**
 * Knows by this process's own monotonic clock when its locks have lapsed. BullMQ learns it from Redis,
 * and so not at all while Redis cannot be reached.
 */
export class LockWatch {
  readonly #withinMs: number
  readonly #locks = new Map<string, Watched>()

  /** @param withinMs how long after the last renewal a lock is taken for lost */
  constructor(withinMs: number) {
    this.#withinMs = withinMs
  }

  /** Whether a lock on that job is watched, be it lost or not. */
  watches(id: string | undefined): boolean {
    return id !== undefined && this.#locks.has(id)
  }

  /** To be called as soon as the lock has been taken; one for a job at a time. */
  watch(id: string): WatchedLock {
    const lost = new AbortController()
    const lose = () => {
      lost.abort(new LostRightError('the lock on the job was lost'))
    }
    const timer = setTimeout(lose, this.#withinMs)
    this.#locks.set(id, { timer, lose })
    return {
      signal: lost.signal,
      [Symbol.dispose]: () => {
        clearTimeout(timer)
        this.#locks.delete(id)
      },
    }
  }

  renewed(ids: readonly string[]): void {
    for (const id of ids) this.#locks.get(id)?.timer.refresh()
  }

  lost(ids: readonly string[]): void {
    for (const id of ids) this.#locks.get(id)?.lose()
  }
}
