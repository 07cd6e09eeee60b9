import { setTimeout as delay } from 'node:timers/promises'
import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Repository } from '../oci/reference.ts'
import type { InFlight } from '../pool/in-flight.ts'
import { abortReason, onAbort } from '../waiting/aborting.ts'
import type { Demand } from '../replication/graph/graph-copy.ts'

/** A client that has got an index asks for its own platform's manifest right away. */
const ASKS_WITHIN_MS = 2_000
const LOOK_EVERY_MS = 10
const LOOK_AT_MOST_EVERY_MS = 200
/** An index may name more blobs than should be asked for so often; who gets one asks for a manifest first. */
const NAMES_AT_ONCE = 1_000

/** What clients wait for. */
export type Asked = Pick<InFlight, 'asked'>

interface Waiting {
  readonly manifest: Digest
  readonly blobs: readonly Digest[]
  readonly begin: (end: () => void) => void
}

/**
 * Of an index, the images that clients ask for come first, and nothing beside them: with eight platforms
 * on one line, a client would else wait eight times as long as for its own. The rest comes when these are
 * there, or when nobody asks for any of them.
 */
export class PlatformDemand implements Demand {
  readonly #repository: Repository
  readonly #clients: Asked
  readonly #asksWithinMs: number
  readonly #waiting = new Set<Waiting>()
  #asksUntil: number | undefined
  /** Images that were asked for and are coming. */
  #coming = 0
  #looking = false

  /** @param asksWithinMs after which, if nobody has asked for any, nobody will */
  constructor(repository: Repository, clients: Asked, asksWithinMs = ASKS_WITHIN_MS) {
    this.#repository = repository
    this.#clients = clients
    this.#asksWithinMs = asksWithinMs
  }

  async turn(manifest: Manifest, signal: AbortSignal): Promise<() => void> {
    this.#asksUntil ??= performance.now() + this.#asksWithinMs
    return await new Promise((resolve, reject) => {
      const waiting: Waiting = {
        manifest: manifest.digest,
        blobs: manifest.blobs.map(({ digest }) => digest),
        begin: (end) => {
          stopListening()
          resolve(end)
        },
      }
      this.#waiting.add(waiting)
      const stopListening = onAbort(signal, () => {
        this.#waiting.delete(waiting)
        reject(abortReason(signal))
      })
      void this.#look()
    })
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    for (let wait = LOOK_EVERY_MS; this.#waiting.size > 0;) {
      const asked = await this.#asked()
      for (const waiting of asked) this.#begin(waiting, true)
      if (asked.length === 0 && this.#restMayCome()) {
        for (const waiting of this.#waiting) this.#begin(waiting, false)
      }
      if (this.#waiting.size === 0) break
      await delay(wait)
      // Once some have asked, the rest is in no hurry.
      if (this.#asksUntil === 0) wait = Math.min(wait * 1.5, LOOK_AT_MOST_EVERY_MS)
    }
    this.#looking = false
  }

  async #asked(): Promise<readonly Waiting[]> {
    const all = [...this.#waiting]
    const manifests = all.map(({ manifest }) => manifest)
    const names = new Set([...manifests, ...all.flatMap(({ blobs }) => blobs)])
    const asked = await this.#clients.asked(this.#repository, [...names].slice(0, NAMES_AT_ONCE))
    return all.filter(({ manifest, blobs }) => [manifest, ...blobs].some((name) => asked.has(name)))
  }

  #restMayCome(): boolean {
    return this.#coming === 0 && performance.now() > (this.#asksUntil ?? 0)
  }

  #begin(waiting: Waiting, asked: boolean): void {
    if (!this.#waiting.delete(waiting)) return
    if (!asked) {
      waiting.begin(() => undefined)
      return
    }
    this.#coming += 1
    // Nobody asks for more once the one image is there; if so, it is shared.
    this.#asksUntil = 0
    waiting.begin(() => {
      this.#coming -= 1
    })
  }
}
