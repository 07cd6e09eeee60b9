import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Descriptor } from '../oci/descriptor.ts'
import { SpooledBlob } from './spooled-blob.ts'

export interface SpoolOptions {
  /** A folder of its own is made in it. */
  readonly folder: string
  readonly maxBytes: number
}

export interface Spooled {
  /** Not to be guessed: whoever knows it may read the blob. */
  readonly key: string
  readonly blob: SpooledBlob
}

interface Kept extends Spooled {
  /** What it may come to need, in bytes. */
  readonly room: number
}

/** The blobs that a worker is bringing for clients that wait, on disk, and those it just brought. */
export class Spool implements AsyncDisposable {
  readonly #folder: string
  readonly #maxBytes: number
  readonly #kept = new Map<string, Kept>()
  #reserved = 0

  private constructor(folder: string, maxBytes: number) {
    this.#folder = folder
    this.#maxBytes = maxBytes
  }

  static async open({ folder, maxBytes }: SpoolOptions): Promise<Spool> {
    return new Spool(await mkdtemp(join(folder, 'pullsync-spool-')), maxBytes)
  }

  /** Undefined when there is no room, or the disk refuses: then nobody can follow this blob. */
  async add({ size }: Descriptor, from: number): Promise<Spooled | undefined> {
    const room = size - from
    if (!(await this.#makeRoom(room))) return undefined
    const key = randomBytes(24).toString('hex')
    // Taken before the next await, so that two at once cannot take the same room.
    this.#reserved += room
    try {
      const blob = await SpooledBlob.create(join(this.#folder, key), from)
      const kept = { key, blob, room }
      this.#kept.set(key, kept)
      return kept
    } catch {
      return undefined
    } finally {
      this.#reserved -= room
    }
  }

  find(key: string): SpooledBlob | undefined {
    return this.#kept.get(key)?.blob
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#kept.keys()].map((key) => this.#drop(key)))
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Drops the oldest that have arrived and that nobody follows, as far as needed. */
  async #makeRoom(room: number): Promise<boolean> {
    for (const [key, { blob }] of this.#kept) {
      if (this.#taken() + room <= this.#maxBytes) break
      if (!blob.arriving && !blob.followed) await this.#drop(key)
    }
    return this.#taken() + room <= this.#maxBytes
  }

  #taken(): number {
    return [...this.#kept.values()].reduce((sum, { room }) => sum + room, this.#reserved)
  }

  async #drop(key: string): Promise<void> {
    const kept = this.#kept.get(key)
    this.#kept.delete(key)
    await kept?.blob.remove()
  }
}
