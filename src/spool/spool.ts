import { createHash, randomBytes } from 'node:crypto'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, type Digest, finishDigest, hashFor } from '../oci/digest.ts'
import { FarParts, type GetBlobPart } from './far-parts.ts'
import { OverflowFile } from './overflow-file.ts'
import { type BlobFile, SpoolFile } from './spool-file.ts'
import { SpoolFolder } from './spool-folder.ts'
import { SpooledBlob } from './spooled-blob.ts'

export interface SpoolOptions {
  /** The folder of all spools is in it. */
  readonly parent: string
  readonly maxBytes: number
  /** How many of its files may be open at once; no limit unless told. */
  readonly maxFiles?: number
  /** The disk took no more. */
  readonly onRefused?: (error: unknown) => void
}

export interface SpoolWish {
  readonly blob: Descriptor
  /** Where it is fetched from: what was fetched from elsewhere is not used for it. */
  readonly origin: string
  /** From where in the blob on its bytes are wanted. */
  readonly offset: number
  /** Asks upstream for some of its bytes, where that gives parts. */
  readonly part?: GetBlobPart
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
  /** Seen without anybody who writes or reads it, in milliseconds since the process began. */
  idleSince: number | undefined
}

/** What was reserved for a blob. */
interface Room {
  readonly bytes: number
  readonly isWhole: boolean
}

/** For clients that read as fast as bytes come. */
const IN_MEMORY_BYTES = 2 * 1024 * 1024
const READ_BYTES = 1024 * 1024
/** A full disk is not tried again before. */
const REFUSED_MS = 30_000
/** In less, followers would hardly ever be near enough to the copy. */
const LEAST_WINDOW_BYTES = 4 * 1024 * 1024

/**
 * The blobs that a worker is bringing, on disk: for clients that follow them, and for whoever has to
 * bring them when this attempt, or this process, does not get to the end. With those for clients, also
 * the ones that it just brought.
 */
export class Spool implements AsyncDisposable {
  readonly #folder: SpoolFolder
  readonly #maxBytes: number
  readonly #maxFiles: number
  readonly #onRefused: (error: unknown) => void
  #refusedUntil = 0
  readonly #kept = new Map<string, Kept>()
  readonly #reserved = new Set<Room>()

  private constructor(folder: SpoolFolder, options: SpoolOptions) {
    const { maxBytes, maxFiles = Infinity, onRefused } = options
    this.#folder = folder
    this.#maxBytes = maxBytes
    this.#maxFiles = maxFiles
    this.#onRefused = (error) => {
      this.#refusedUntil = performance.now() + REFUSED_MS
      onRefused?.(error)
    }
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const spool = new Spool(await SpoolFolder.open(options.parent), options)
    await spool.sweep()
    return spool
  }

  /**
   * The blob with what there is of it already, to which the rest is to be appended. One that clients wait for and
   * that is larger than the room goes through a window of it. Undefined when there
   * is no room, or the disk refuses: then nobody can follow this blob, and nobody continue it.
   */
  async add(wish: SpoolWish): Promise<Spooled | undefined> {
    const name = nameOf(wish.origin, wish.blob.digest)
    for (const kept of this.#ofName(name)) if (!kept.blob.arriving) await this.#leave(kept)
    const isRefused = performance.now() < this.#refusedUntil
    const room = isRefused ? undefined : await this.#roomFor(wish)
    if (room === undefined) return undefined
    try {
      return await this.#keep(name, wish, room)
    } catch (error) {
      if (!wish.signal.aborted) this.#onRefused(error)
      return undefined
    } finally {
      this.#reserved.delete(room)
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

  /**
   * Closes what nobody has written or read for `idleMs`, as far as it was seen: what was released is removed, the rest
   * stays on disk for whoever continues it. Each open file is one of the few that a process may have.
   */
  async closeIdle(idleMs: number, now = performance.now()): Promise<void> {
    const idle = [...this.#kept.values()].filter((kept) => idleFor(kept, now) >= idleMs)
    for (const kept of idle) await (kept.released ? this.#drop(kept) : this.#leave(kept))
    // Its room is for others from now on, and they take as much of the disk again.
    if (idle.some(({ released }) => !released)) await this.sweep()
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

  async #keep(name: string, wish: SpoolWish, { bytes, isWhole }: Room): Promise<Spooled> {
    const { blob, offset, followed, part } = wish
    const onDisk = isWhole
      ? await this.#fileFor(name, wish)
      : await this.#folder.window(offset, bytes)
    const file = followed ? new OverflowFile(onDisk, this.#onRefused) : onDisk
    const inMemory = followed || file.length > 0 ? IN_MEMORY_BYTES : 0
    const farParts = part && new FarParts(part)
    const spooled = new SpooledBlob(file, {
      ...{ inMemory, onRefused: this.#onRefused },
      ...(farParts && { farParts }),
    })
    if (spooled.until === blob.size) await spooled.end(true)
    const key = randomBytes(24).toString('hex')
    const kept = {
      ...{ key, blob: spooled, size: blob.size, name, followed, room: bytes },
      ...{ released: false, idleSince: undefined },
    }
    this.#kept.set(key, kept)
    return kept
  }

  /** For all of it, or, where clients wait for it, for a window of it. */
  async #roomFor({ blob, offset, followed }: SpoolWish): Promise<Room | undefined> {
    const bytes = blob.size - offset
    // Half of it is for those alone that clients wait for.
    const limit = followed ? this.#maxBytes : this.#maxBytes / 2
    const whole = { bytes, isWhole: true }
    if (await this.#reserve(whole, limit)) return whole
    return followed ? await this.#reserveWindow() : undefined
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

  /** Drops, or closes, the oldest that have arrived and that nobody follows, as far as needed. */
  async #reserve(room: Room, limit: number): Promise<boolean> {
    const hasRoom = () => this.#taken() + room.bytes <= limit
    const hasFile = () => this.#kept.size + this.#reserved.size < this.#maxFiles
    for (const kept of this.#kept.values()) {
      if (hasRoom() && hasFile()) break
      if (kept.blob.arriving || kept.blob.followed) continue
      await (hasRoom() && !kept.released ? this.#leave(kept) : this.#drop(kept))
    }
    // With nothing to wait for in between: two at once must not take the same room.
    const there = hasRoom() && hasFile()
    if (there) this.#reserved.add(room)
    return there
  }

  /** As much as there is, of which others may want some, too; not too little. */
  async #reserveWindow(): Promise<Room | undefined> {
    for (let size = (this.#maxBytes / 4) * 3; size >= LEAST_WINDOW_BYTES; size /= 2) {
      const room = { bytes: Math.floor(size), isWhole: false }
      if (await this.#reserve(room, this.#maxBytes)) return room
    }
    return undefined
  }

  #taken(): number {
    const held = [...this.#kept.values()].reduce((sum, { room }) => sum + room, 0)
    return [...this.#reserved].reduce((sum, { bytes }) => sum + bytes, held)
  }

  async #leave({ key, blob }: Kept): Promise<void> {
    this.#kept.delete(key)
    await blob.letGo((file) => file.close())
  }

  async #drop({ key, blob }: Kept): Promise<void> {
    this.#kept.delete(key)
    await blob.letGo((file) => {
      const onDisk: BlobFile = file instanceof OverflowFile ? file.onDisk : file
      return onDisk instanceof SpoolFile ? this.#folder.remove(onDisk) : onDisk.close()
    })
  }
}

/** As far as it was seen, in milliseconds: this is a look. */
function idleFor(kept: Kept, now: number): number {
  const isBusy = kept.blob.arriving || kept.blob.followed
  kept.idleSince = isBusy ? undefined : (kept.idleSince ?? now)
  return now - (kept.idleSince ?? Infinity)
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
