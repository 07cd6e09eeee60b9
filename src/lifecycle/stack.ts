import { messageOf } from '../thrown.ts'

/**
 * What was started, to be stopped in reverse order: `await using stack = new Stack()`. When a later
 * start fails, that stops what was started before it. (Node 20 has no AsyncDisposableStack.)
 */
export class Stack implements AsyncDisposable {
  readonly #stops: (() => void | Promise<void>)[] = []
  #stopped: Promise<void> | undefined

  /** Stops `started` with the stack; gives it back. */
  use<T extends AsyncDisposable | Disposable>(started: T): T {
    this.defer(() => dispose(started))
    return started
  }

  /** Calls `stop` with the stack. */
  defer(stop: () => void | Promise<void>): void {
    if (this.#stopped !== undefined) throw new Error('nothing can be added to a stopped stack')
    this.#stops.push(stop)
  }

  /** Stops all, the last first, one after the other; one that fails keeps no other from its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped ??= this.#stopAll()
    await this.#stopped
  }

  async #stopAll(): Promise<void> {
    const failures: unknown[] = []
    for (const stop of this.#stops.toReversed()) {
      try {
        await stop()
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length === 1) throw failures[0]
    if (failures.length > 1) throw new AggregateError(failures, failures.map(messageOf).join('; '))
  }
}

async function dispose(started: AsyncDisposable | Disposable): Promise<void> {
  if (Symbol.asyncDispose in started) await started[Symbol.asyncDispose]()
  else started[Symbol.dispose]()
}
