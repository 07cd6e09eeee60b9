import type { Spool, Spooled } from './spool.ts'

/** The spools of this process, for those of its parts that need no connection to follow what is in them. */
export class SpoolsHere {
  readonly #byAddress = new Map<string, Spool>()

  /** @param address what comes before the keys in the URLs that others are told */
  add(address: string, spool: Spool): void {
    this.#byAddress.set(address, spool)
  }

  delete(address: string): void {
    this.#byAddress.delete(address)
  }

  /** What another process would find at that URL. */
  find(url: string): Spooled | undefined {
    const keyAt = url.lastIndexOf('/') + 1
    return this.#byAddress.get(url.slice(0, keyAt))?.find(url.slice(keyAt))
  }
}
