import type { BlobPart } from '../oci/descriptor.ts'
import { PatientSemaphore } from '../waiting/patient-semaphore.ts'

/** Asks upstream for them; undefined where it gives no parts. */
export type GetBlobPart = (part: BlobPart, signal: AbortSignal) => Promise<Buffer | undefined>

/** What is nearer to what has come is there before anything else could bring it. */
const FAR_BYTES = 4 * 1024 * 1024
/** Clients that pull lazily want an index or a file. Who wants more wants the layer, of which there is one copy. */
const LONGEST_BYTES = 4 * 1024 * 1024
/** Beside the copy itself, of one blob. */
const AT_ONCE = 2
const WITHIN_MS = 30_000
/** Of one blob in all: they take no place of the copies and none of their bandwidth, so they stay few. */
const MOST_BYTES = 64 * 1024 * 1024

/** Short parts of a blob that is coming, far behind what has come: fetched beside the copy for those who follow it. */
export class FarParts {
  readonly #get: GetBlobPart
  readonly #turns = new PatientSemaphore(AT_ONCE)
  readonly #coming = new Map<string, Promise<Buffer | undefined>>()
  #areGiven = true
  #left = MOST_BYTES

  constructor(get: GetBlobPart) {
    this.#get = get
  }

  /** @param until where in the blob its next bytes belong */
  has({ offset, length }: BlobPart, until: number): boolean {
    const isFew = length <= Math.min(LONGEST_BYTES, this.#left)
    return this.#areGiven && isFew && offset - until >= FAR_BYTES
  }

  /** Once for all who want the same at a time. Undefined, for all parts from then on, where upstream does not give it. */
  async get(part: BlobPart): Promise<Buffer | undefined> {
    const key = `${part.offset} ${part.length}`
    const coming = this.#coming.get(key) ?? this.#fetch(part)
    this.#coming.set(key, coming)
    try {
      return await coming
    } finally {
      this.#coming.delete(key)
    }
  }

  async #fetch(part: BlobPart): Promise<Buffer | undefined> {
    const turn = { patienceMs: WITHIN_MS, signal: AbortSignal.timeout(WITHIN_MS) }
    // Who has waited in line for too long says nothing of the upstream.
    return await this.#turns.take(turn, () => this.#ask(part)).catch(() => undefined)
  }

  async #ask(part: BlobPart): Promise<Buffer | undefined> {
    this.#left -= part.length
    const asked = this.#get(part, AbortSignal.timeout(WITHIN_MS))
    const bytes = await asked.catch(() => undefined)
    if (bytes === undefined) this.#areGiven = false
    return bytes
  }
}
