import type { Repository } from '../../oci/reference.ts'
import { KNOWN, type ListAsker } from './list-limits.ts'

/** A list that several upstreams are asked for. */
export interface ListWish {
  /** Upstream ids; what several have is listed once. */
  readonly upstreams: readonly [string, ...string[]]
  /** Its name there. */
  readonly upstreamRepository: Repository
  /** What of the repository is listed, where there is more than one such list. */
  readonly about?: string
  /** How old the answer may be, in milliseconds. */
  readonly freshForMs: number
}

export interface UpstreamList<Entry> {
  readonly entries: readonly Entry[]
  /** False when an upstream could not be asked, or has more than is read. */
  readonly complete: boolean
}

export interface UpstreamListsOptions<Entry> {
  /** Page by page. */
  readonly read: (
    upstream: string,
    wish: ListWish,
    signal: AbortSignal,
  ) => AsyncIterable<readonly Entry[]>
  /** What makes two entries one. */
  readonly nameOf: (entry: Entry) => string
  /** Some hundred unless told. */
  readonly bytesOf?: (entry: Entry) => number
  /** Whether nobody is to ask that upstream now. Never rejects. */
  readonly isHeld: (upstream: string) => Promise<boolean>
  readonly onError: (upstream: string, error: unknown) => void
}

interface Kept<Entry> {
  readonly list: Promise<UpstreamList<Entry>>
  until: number
  bytes: number
}

/** A client waits for what is here, too. */
const WITHIN_MS = 5_000
const FAILURE_REMEMBERED_MS = 15_000
/** Of one list; a repository with more tags is no place to look around in. */
const MAX_ENTRIES = 50_000
/** Of all lists that are remembered. */
const MAX_BYTES = 20_000_000
const USUAL_BYTES = 100
const MAX_LISTS = 2_000

/** Upstream's lists, each read once for all who ask meanwhile, and remembered for a while. */
export class UpstreamLists<Entry> {
  readonly #options: UpstreamListsOptions<Entry>
  /** The oldest first. */
  readonly #kept = new Map<string, Kept<Entry>>()
  #bytes = 0

  constructor(options: UpstreamListsOptions<Entry>) {
    this.#options = options
  }

  /** Without what upstream has when the asker is not to ask it. Rejects only when the client went away. */
  async of(wish: ListWish, asker: ListAsker = KNOWN): Promise<UpstreamList<Entry>> {
    const { upstreams, upstreamRepository, about = '' } = wish
    const key = `${upstreams.join()} ${upstreamRepository} ${about}`
    const known = this.#known(key)
    if (known !== undefined) return await known.list
    if (!(await asker.mayAsk())) return { entries: [], complete: false }
    // Another may have asked meanwhile.
    const list = await (this.#known(key)?.list ?? this.#ask(key, wish))
    asker.answered(list.complete && list.entries.length === 0)
    return list
  }

  #known(key: string): Kept<Entry> | undefined {
    const known = this.#kept.get(key)
    return known !== undefined && known.until > performance.now() ? known : undefined
  }

  async #ask(key: string, wish: ListWish): Promise<UpstreamList<Entry>> {
    this.#forget(key)
    const kept: Kept<Entry> = { list: this.#read(wish), until: Infinity, bytes: 0 }
    this.#kept.set(key, kept)
    const list = await kept.list
    kept.until =
      performance.now() +
      (list.complete ? wish.freshForMs : Math.min(wish.freshForMs, FAILURE_REMEMBERED_MS))
    this.#weigh(key, kept, list.entries)
    return list
  }

  async #read(wish: ListWish): Promise<UpstreamList<Entry>> {
    const found = new Map<string, Entry>()
    let complete = true
    for (const upstream of wish.upstreams) {
      if (await this.#options.isHeld(upstream)) {
        complete = false
        continue
      }
      try {
        // Each has its own time: one that is slow says nothing of the next.
        await this.#readInto(found, { upstream, wish, signal: AbortSignal.timeout(WITHIN_MS) })
      } catch (error) {
        complete = false
        this.#options.onError(upstream, error)
      }
    }
    const entries = [...found.values()].slice(0, MAX_ENTRIES)
    return { entries, complete: complete && entries.length === found.size }
  }

  /** Until it is clear that there are too many. */
  async #readInto(
    found: Map<string, Entry>,
    { upstream, wish, signal }: { upstream: string; wish: ListWish; signal: AbortSignal },
  ): Promise<void> {
    const { read, nameOf } = this.#options
    for await (const page of read(upstream, wish, signal)) {
      for (const entry of page) found.set(nameOf(entry), found.get(nameOf(entry)) ?? entry)
      if (found.size > MAX_ENTRIES) return
    }
  }

  #weigh(key: string, kept: Kept<Entry>, entries: readonly Entry[]): void {
    if (this.#kept.get(key) !== kept) return
    const { bytesOf = () => USUAL_BYTES } = this.#options
    kept.bytes = entries.reduce((sum, entry) => sum + bytesOf(entry), 0)
    this.#bytes += kept.bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= MAX_BYTES && this.#kept.size <= MAX_LISTS) return
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0
    this.#kept.delete(key)
  }
}
