import { unlessAborted } from './aborting.ts'

/** What was to wake it may have come just before it was there to be woken. */
const SECOND_LOOK_MS = 500
/** In case what was to wake it got lost. */
const LOOK_EVERY_MS = 30_000

interface Watch<Found> {
  readonly found: Promise<Found>
  readonly resolve: (found: Found) => void
  timer: NodeJS.Timeout
  waiters: number
  looking: boolean
  /** Woken while it looked. */
  again: boolean
}

/**
 * Waits for things that others bring about: however many wait for one, it is looked for once, and
 * again when somebody says that it is time.
 */
export class Watches<Found> {
  readonly #look: (key: string) => Promise<Found | undefined>
  readonly #watches = new Map<string, Watch<Found>>()

  /** @param look undefined: it is not there yet; when it rejects, it is as if it were not */
  constructor(look: (key: string) => Promise<Found | undefined>) {
    this.#look = look
  }

  /** Rejects when the signal is aborted before it is there. */
  async wait(key: string, signal: AbortSignal): Promise<Found> {
    signal.throwIfAborted()
    const watch = this.#watches.get(key) ?? this.#begin(key)
    watch.waiters += 1
    try {
      return await unlessAborted(watch.found, signal)
    } finally {
      watch.waiters -= 1
      if (watch.waiters === 0) this.#end(key, watch)
    }
  }

  /** It is here. */
  settle(key: string, found: Found): void {
    const watch = this.#watches.get(key)
    if (watch === undefined) return
    watch.resolve(found)
    this.#end(key, watch)
  }

  /** Looks for it now. */
  wake(key: string): void {
    const watch = this.#watches.get(key)
    if (watch === undefined) return
    if (watch.looking) watch.again = true
    else void this.#lookFor(key, watch)
  }

  wakeAll(which: (key: string) => boolean = () => true): void {
    for (const key of this.#watches.keys()) if (which(key)) this.wake(key)
  }

  #begin(key: string): Watch<Found> {
    const { promise: found, resolve } = withResolvers<Found>()
    const timer = setTimeout(() => {
      watch.timer = setInterval(() => {
        this.wake(key)
      }, LOOK_EVERY_MS).unref()
      this.wake(key)
    }, SECOND_LOOK_MS).unref()
    const watch: Watch<Found> = { found, resolve, timer, waiters: 0, looking: false, again: false }
    this.#watches.set(key, watch)
    void this.#lookFor(key, watch)
    return watch
  }

  async #lookFor(key: string, watch: Watch<Found>): Promise<void> {
    watch.looking = true
    watch.again = false
    const found = await this.#look(key).catch(() => undefined)
    watch.looking = false
    if (found !== undefined) this.settle(key, found)
    else if (wasWoken(watch)) this.wake(key)
  }

  #end(key: string, watch: Watch<Found>): void {
    clearTimeout(watch.timer)
    if (this.#watches.get(key) === watch) this.#watches.delete(key)
  }
}

/** By others, while it looked. */
function wasWoken({ again }: { readonly again: boolean }): boolean {
  return again
}

function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
