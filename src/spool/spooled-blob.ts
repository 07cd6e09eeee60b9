import { Readable } from 'node:stream'
import type { BlobPart } from '../oci/descriptor.ts'
import { type BlobReader, BlobReaders } from './blob-readers.ts'
import type { FarParts } from './far-parts.ts'
import { LatestBytes } from './latest-bytes.ts'
import type { BlobFile } from './spool-file.ts'
import { firstOf } from './window-file.ts'

/** More than that waiting for the disk holds the copy up: memory must not grow with a slow disk. */
const MAX_UNWRITTEN_BYTES = 2 * 1024 * 1024
/** Each write costs as much as many bytes do. */
const WRITTEN_AT_ONCE = 512 * 1024
const READ_BYTES = 256 * 1024

export interface SpooledBlobOptions {
  /** The latest bytes stay in memory: who reads as fast as they come needs no disk. */
  readonly inMemory?: number
  /** For followers who want little of what is far from coming. */
  readonly farParts?: FarParts
  /** The disk took no more, and nothing more comes here. */
  readonly onRefused?: (error: unknown) => void
}

type State = 'arriving' | 'complete' | 'broken' | 'disk-refused'

/**
 * A blob on its way: written to a file as it arrives, and read from there by any number of
 * followers, each at its own pace, as far as it has come. What the file had already has come. A file
 * that is a window has what its readers still need, but for those that fall behind.
 */
export class SpooledBlob<File extends BlobFile = BlobFile> {
  readonly #file: File
  readonly #inMemory: number
  readonly #onRefused: ((error: unknown) => void) | undefined
  readonly #farParts: FarParts | undefined
  /** Until `#received`, never without what is not written yet. */
  readonly #kept: LatestBytes
  #received: number
  #state: State = 'arriving'
  readonly #places = new BlobReaders()
  #readers = 0
  /** Where what is being written ends. */
  #writingUntil = 0
  #followers = 0
  #letGo: (() => Promise<void>) | undefined
  #writing: Promise<void> | undefined
  #news: (() => void)[] = []

  constructor(file: File, { inMemory = 0, onRefused, farParts }: SpooledBlobOptions = {}) {
    this.#file = file
    this.#inMemory = inMemory
    this.#onRefused = onRefused
    this.#farParts = farParts
    this.#kept = new LatestBytes(file.length)
    this.#received = file.length
  }

  /** Where in the blob it begins. */
  get from(): number {
    return this.#file.from
  }

  /** Bytes that have come. */
  get bytes(): number {
    return this.#received
  }

  get arriving(): boolean {
    return this.#state === 'arriving'
  }

  /** All of it, and it is on disk. */
  get arrived(): boolean {
    return this.#state === 'complete'
  }

  get followed(): boolean {
    return this.#readers > 0
  }

  /** Where in the blob the next bytes belong. */
  get until(): number {
    return this.from + this.#received
  }

  /** Takes the next bytes; false when it takes no more. */
  append(bytes: Buffer): boolean {
    if (this.#state !== 'arriving') return false
    this.#kept.push(bytes)
    this.#received += bytes.length
    if (this.#unwritten >= WRITTEN_AT_ONCE) this.#writing ??= this.#write()
    this.#tell()
    return true
  }

  /** Whether so much waits for the disk that who brings more should wait for `drained`. */
  get full(): boolean {
    return this.arriving && this.#unwritten > MAX_UNWRITTEN_BYTES
  }

  async drained(): Promise<void> {
    while (this.full) await this.#writing
  }

  /** Nothing more comes. Followers read to the end when all of it came, else they are cut there. */
  async end(complete: boolean): Promise<void> {
    // Of a window that breaks nothing is continued, and its readers need not come to its end.
    const worthIt = complete || this.#file.capacity === Infinity
    while (worthIt && this.arriving && this.#unwritten > 0) {
      await (this.#writing ??= this.#write())
    }
    if (this.#state !== 'arriving') return
    this.#state = complete ? 'complete' : 'broken'
    this.#forget()
    this.#tell()
    this.#places.wake()
  }

  /** The blob's bytes from `offset` on; undefined when it begins after that. Cut when it breaks. */
  read(offset: number): Readable | undefined {
    if (!this.#has(offset)) return undefined
    const reader = this.reader(offset)
    const bytes = Readable.from(this.piecesFor(reader), { objectMode: false })
    bytes.once('close', this.retain())
    bytes.once('close', () => {
      this.leave(reader)
    })
    return bytes
  }

  /**
   * The same for a follower, who has to begin at once and may leave at any time.
   *
   * @param length how much it wants: a little that is far from coming is fetched for it
   */
  follow(
    offset: number,
    signal: AbortSignal,
    length = Infinity,
  ): AsyncGenerator<Buffer> | undefined {
    if (!this.#has(offset)) return undefined
    const part = { offset, length }
    const isFar = this.arriving && this.#farParts?.has(part, this.until) === true
    return isFar ? this.#aside(part, signal) : this.#followed(this.reader(offset, true), signal)
  }

  /** Resolves when no follower is reading it. */
  async unfollowed(): Promise<void> {
    while (this.#followers > 0) await this.#anyNews()
  }

  /** From now on the bytes from `offset` on are kept for it, until it leaves or, a follower, falls behind. */
  reader(offset: number, isFollower = false): BlobReader {
    return this.#places.begin(offset - this.from, isFollower)
  }

  /** Nothing is kept for it any more. */
  leave(reader: BlobReader): void {
    this.#places.end(reader)
  }

  /** For who has retained it. */
  async *piecesFor(reader: BlobReader, signal?: AbortSignal): AsyncGenerator<Buffer> {
    while (await this.#hasAfter(reader.at, signal)) {
      const piece = await this.#readAt(reader.at)
      if (reader.dropped && !this.#keeps(reader.at)) throw new Error('the reader fell behind')
      this.#places.moved(reader, reader.at + piece.length)
      yield piece
    }
  }

  /** Its file stays open until what this gives back is called. */
  retain(): () => void {
    this.#readers += 1
    return () => {
      this.#readers -= 1
      if (this.#readers === 0) void this.#letGo?.()
    }
  }

  /** Once the last follower has gone, its file is let go of in that way. Nobody can follow it from now on. */
  async letGo(how: (file: File) => Promise<void>): Promise<void> {
    if (this.#letGo !== undefined) return
    this.#letGo = () => how(this.#file)
    if (this.#state === 'arriving') await this.end(false)
    if (this.#readers === 0) await this.#letGo()
  }

  #has(offset: number): boolean {
    const at = offset - this.from
    const comes = this.arriving || this.arrived || offset < this.until
    return at >= 0 && this.#keeps(at) && comes && this.#letGo === undefined
  }

  /** Whether that byte has not made room for later ones. */
  #keeps(at: number): boolean {
    const { length, capacity, keptUntil } = this.#file
    return at < keptUntil || at >= Math.max(length, this.#writingUntil) - capacity
  }

  async *#aside(part: BlobPart, signal: AbortSignal): AsyncGenerator<Buffer> {
    const bytes = await this.#farParts?.get(part)
    if (bytes !== undefined) yield bytes
    else if (!this.#has(part.offset)) throw new Error('the blob stopped coming')
    else yield* this.#followed(this.reader(part.offset, true), signal)
  }

  async *#followed(reader: BlobReader, signal: AbortSignal): AsyncGenerator<Buffer> {
    const release = this.retain()
    const left = () => {
      this.#tell()
    }
    signal.addEventListener('abort', left)
    this.#followers += 1
    try {
      for await (const piece of this.piecesFor(reader, signal)) yield piece
    } finally {
      signal.removeEventListener('abort', left)
      this.#followers -= 1
      this.leave(reader)
      this.#tell()
      release()
    }
  }

  /** Resolves when there is more to read, or with false when that was all. Throws when it was not. */
  async #hasAfter(at: number, signal?: AbortSignal): Promise<boolean> {
    while (at >= this.#received && this.#state === 'arriving') {
      signal?.throwIfAborted()
      await this.#anyNews()
    }
    if (at < this.#received) return true
    if (this.#state === 'complete') return false
    throw new Error('the blob stopped coming')
  }

  async #readAt(at: number): Promise<Buffer> {
    if (at >= this.#kept.from) return this.#kept.at(at)[0] ?? Buffer.alloc(0)
    return await this.#file.read(at, READ_BYTES)
  }

  get #unwritten(): number {
    return this.#received - this.#file.length
  }

  async #write(): Promise<void> {
    try {
      while (this.#unwritten > 0) {
        const pieces = await this.#writable()
        if (pieces.length === 0) return
        // A part only, when the disk is nearly full; then the next one fails.
        await this.#file.append(pieces)
        this.#forget()
      }
    } catch (error) {
      this.#onRefused?.(error)
      // The disk is full or gone. The copy goes on; followers get the rest from the registry.
      this.#state = 'disk-refused'
      this.#tell()
    } finally {
      this.#writing = undefined
    }
  }

  /** What may be written now; nothing when no reader will ever make room for it. */
  async #writable(): Promise<readonly Buffer[]> {
    const { length, capacity } = this.#file
    if (capacity === Infinity) return this.#kept.at(length)
    const room = await this.#places.room(this.#file, () => !this.arriving)
    this.#writingUntil = length + Math.min(room, this.#unwritten)
    return firstOf(this.#kept.at(length), room)
  }

  #forget(): void {
    const kept = this.#state === 'arriving' ? this.#inMemory : 0
    const until = Math.min(this.#file.length, this.#received - kept)
    this.#kept.forget(until)
  }

  async #anyNews(): Promise<void> {
    await new Promise<void>((resolve) => this.#news.push(resolve))
  }

  #tell(): void {
    for (const resolve of this.#news.splice(0)) resolve()
  }
}
