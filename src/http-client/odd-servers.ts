/** It may be mended. */
const ODD_FOR_MS = 3_600_000
/** A hostile upstream can send to ever other hosts. */
const MAX_REMEMBERED = 100

/** Servers whose answers are for the general client: each would be asked for twice. */
export class OddServers {
  readonly #until = new Map<string, number>()

  has({ origin }: URL): boolean {
    return performance.now() < (this.#until.get(origin) ?? 0)
  }

  note({ origin }: URL): void {
    const [oldest] = this.#until.keys()
    if (oldest !== undefined && this.#until.size >= MAX_REMEMBERED) this.#until.delete(oldest)
    this.#until.set(origin, performance.now() + ODD_FOR_MS)
  }
}
