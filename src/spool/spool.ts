import { createHash, randomBytes } from 'node:crypto'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, finishDigest, hashFor } from '../oci/digest.ts'
import type { SpoolFile } from './spool-file.ts'
import { SpoolFolder } from './spool-folder.ts'
import { SpooledBlob } from './spooled-blob.ts'

export interface SpoolOptions {
  /** The folder of all spools is in it. */
  readonly parent: string
  readonly maxBytes: number
}

export interface SpoolWish {
  readonly blob: Descriptor
  /** Where it is fetched from: what was fetched from elsewhere is not used for it. */
  readonly origin: string
  /** From where in the blob on its bytes are wanted. */
  readonly offset: number
  /** Whether clients wait for it. */
  readonly followed: boolean
  readonly signal: AbortSignal
}

export interface Spooled {
  /** Not to be guessed: whoever knows it may read the blob. */
  readonly key: string
  readonly blob: SpooledBlob
  /** Of all of it, in bytes. */
  readonly size: number
}

interface Kept extends Spooled {
  readonly name: string
  readonly followed: boolean
  /** What it may come to need, in bytes. */
  readonly room: number
  released: boolean
}

/** For clients that read as fast as bytes come. */
const IN_MEMORY_BYTES = 2 * 1024 * 1024
const READ_BYTES = 1024 * 1024

/**
 * The blobs that a worker is bringing, on disk: for clients that follow them, and for whoever has to
 * bring them when this attempt, or this process, does not get to the end. With those for clients, also
 * the ones that it just brought.
 */
export class Spool implements AsyncDisposable {
  readonly #folder: SpoolFolder
  readonly #maxBytes: number
  readonly #kept = new Map<string, Kept>()
  #reserved = 0

  private constructor(folder: SpoolFolder, maxBytes: number) {
    this.#folder = folder
    this.#maxBytes = maxBytes
  }

  static async open({ parent, maxBytes }: SpoolOptions): Promise<Spool> {
    const spool = new Spool(await SpoolFolder.open(parent), maxBytes)
    await spool.sweep()
    return spool
  }

  /**
   * The blob with what there is of it already, to which the rest is to be appended. Undefined when there
   * is no room, or the disk refuses: then nobody can follow this blob, and nobody continue it.
   */
  async add(wish: SpoolWish): Promise<Spooled | undefined> {
    const { blob, origin, offset, followed } = wish
    const name = nameOf(origin, blob.digest)
    for (const kept of this.#ofName(name)) if (!kept.blob.arriving) await this.#leave(kept)
    const room = blob.size - offset
    // Half of it is for those alone that clients wait for.
    if (!(await this.#reserve(room, followed ? this.#maxBytes : this.#maxBytes / 2))) {
      return undefined
    }
    try {
      const file = await this.#fileFor(name, wish)
      const inMemory = followed || file.length > 0 ? IN_MEMORY_BYTES : 0
      const spooled = new SpooledBlob(file, { inMemory })
      if (spooled.until === blob.size) await spooled.end(true)
      const key = randomBytes(24).toString('hex')
      const size = blob.size
      const kept = { key, blob: spooled, size, name, followed, room, released: false }
      this.#kept.set(key, kept)
      return kept
    } catch {
      return undefined
    } finally {
      this.#reserved -= room
    }
  }

  find(key: string): Spooled | undefined {
    return this.#kept.get(key)
  }

  /** Nobody need continue it: it is where it should be, or fetched sooner. Late clients may still read it. */
  async release(origin: string, digest: Digest): Promise<void> {
    for (const kept of this.#ofName(nameOf(origin, digest))) {
      kept.released = true
      if (!kept.followed) await this.#drop(kept)
    }
  }

  /** Removes what was left behind, also by others, and is too old or too much. */
  async sweep(): Promise<void> {
    await this.#folder.sweep(this.#maxBytes)
  }

  /** What was not released stays, for another process to continue. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#kept.values()]
    await Promise.all(all.map((kept) => (kept.released ? this.#drop(kept) : this.#leave(kept))))
  }

  async #fileFor(name: string, { blob, offset, signal }: SpoolWish): Promise<SpoolFile> {
    const left = await this.#folder.takeLeft(name, offset)
    if (left !== undefined && (await this.#mayBePartOf(blob, left, signal))) return left
    if (left !== undefined) await this.#folder.remove(left)
    return await this.#folder.create(name, offset)
  }

  /** Also false of what the disk does not give back. Stopped, it leaves the file to the next one. */
  async #mayBePartOf(blob: Descriptor, left: SpoolFile, signal: AbortSignal): Promise<boolean> {
    try {
      return await mayBePartOf(blob, left, signal)
    } catch (error) {
      if (!signal.aborted) return false
      await left.close()
      throw error
    }
  }

  #ofName(name: string): readonly Kept[] {
    return [...this.#kept.values()].filter((kept) => kept.name === name)
  }

  /** Drops the oldest that have arrived and that nobody follows, as far as needed. */
  async #reserve(room: number, limit: number): Promise<boolean> {
    for (const kept of this.#kept.values()) {
      if (this.#taken() + room <= limit) break
      if (!kept.blob.arriving && !kept.blob.followed) await this.#drop(kept)
    }
    // With nothing to wait for in between: two at once must not take the same room.
    const there = this.#taken() + room <= limit
    if (there) this.#reserved += room
    return there
  }

  #taken(): number {
    return [...this.#kept.values()].reduce((sum, { room }) => sum + room, this.#reserved)
  }

  async #leave({ key, blob }: Kept): Promise<void> {
    this.#kept.delete(key)
    await blob.letGo((file) => file.close())
  }

  async #drop({ key, blob }: Kept): Promise<void> {
    this.#kept.delete(key)
    await blob.letGo((file) => this.#folder.remove(file))
  }
}

/** Of one blob of one repository; the names of both do not fit into a file's name. */
function nameOf(origin: string, digest: Digest): string {
  return createHash('sha256').update(`${origin}@${digest}`).digest('hex').slice(0, 32)
}

/** A whole one is verified: it may be whole because its bytes were wrong, and then never end well. */
async function mayBePartOf(
  { digest, size }: Descriptor,
  file: SpoolFile,
  signal: AbortSignal,
): Promise<boolean> {
  const end = file.from + file.length
  if (end < size) return true
  if (end > size || file.from > 0) return false
  const hash = hashFor(digest)
  for (let at = 0; at < size; at += READ_BYTES) {
    signal.throwIfAborted()
    hash.update(await file.read(at, READ_BYTES))
  }
  return finishDigest(algorithmOf(digest), hash) === digest
}
