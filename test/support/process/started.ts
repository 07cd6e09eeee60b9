/**
 * Everything that was started, to be disposed of in the opposite order. What is still starting when
 * that happens is waited for, and disposed of too.
 */
export class Started implements AsyncDisposable {
  readonly #parts: Promise<AsyncDisposable | undefined>[] = []

  async add<T extends AsyncDisposable>(starting: Promise<T>): Promise<T> {
    this.#parts.push(starting.catch(() => undefined))
    return await starting
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (let last = this.#parts.pop(); last !== undefined; last = this.#parts.pop()) {
      const part = await last
      await part?.[Symbol.asyncDispose]()
    }
  }
}
