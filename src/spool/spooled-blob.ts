import { type FileHandle, open, unlink } from 'node:fs/promises'
import { Readable } from 'node:stream'

/** More than that waiting for the disk holds the copy up: memory must not grow with a slow disk. */
const MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024
const READ_BYTES = 256 * 1024

type State = 'arriving' | 'complete' | 'broken'

/**
 * A blob on its way: written to a file as it arrives, and read from there by any number of
 * followers, each at its own pace, as far as it has come.
 */
export class SpooledBlob {
  /** Where in the blob the file begins. */
  readonly from: number
  readonly #path: string
  readonly #file: FileHandle
  #written = 0
  #state: State = 'arriving'
  #readers = 0
  #removed = false
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #writing: Promise<void> | undefined
  #news: (() => void)[] = []

  private constructor(path: string, file: FileHandle, from: number) {
    this.#path = path
    this.#file = file
    this.from = from
  }

  static async create(path: string, from: number): Promise<SpooledBlob> {
    return new SpooledBlob(path, await open(path, 'wx+', 0o600), from)
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#written
  }

  get arriving(): boolean {
    return this.#state === 'arriving'
  }

  get followed(): boolean {
    return this.#readers > 0
  }

  /** Takes the next bytes; what it returns, if anything, is to be awaited before the next ones. */
  append(bytes: Buffer): Promise<void> | undefined {
    if (this.#state !== 'arriving') return undefined
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    this.#writing ??= this.#writeWaiting()
    return this.#waitingBytes > MAX_UNWRITTEN_BYTES ? this.#writing : undefined
  }

  /** Nothing more comes. Followers read to the end when all of it came, else they are cut there. */
  async end(complete: boolean): Promise<void> {
    await this.#writing
    if (this.#state !== 'arriving') return
    this.#state = complete ? 'complete' : 'broken'
    this.#tell()
  }

  /** The blob's bytes from `offset` on; undefined when it begins after that. Cut when it breaks. */
  read(offset: number): Readable | undefined {
    if (offset < this.from || this.#removed) return undefined
    return Readable.from(this.#follow(offset - this.from), { objectMode: false })
  }

  /** Its place on disk is given back once the last follower has gone. */
  async remove(): Promise<void> {
    if (this.#removed) return
    this.#removed = true
    if (this.#state === 'arriving') await this.end(false)
    await unlink(this.#path).catch(() => undefined)
    if (this.#readers === 0) await this.#file.close()
  }

  async *#follow(start: number): AsyncGenerator<Buffer> {
    this.#readers += 1
    try {
      for (let at = start; await this.#hasAfter(at);) {
        const piece = await this.#readAt(at)
        at += piece.length
        yield piece
      }
    } finally {
      this.#readers -= 1
      if (this.#removed && this.#readers === 0) await this.#file.close()
    }
  }

  /** Resolves when there is more to read, or with false when that was all. Throws when it was not. */
  async #hasAfter(at: number): Promise<boolean> {
    while (at >= this.#written && this.#state === 'arriving') {
      await new Promise<void>((resolve) => this.#news.push(resolve))
    }
    if (at < this.#written) return true
    if (this.#state === 'broken') throw new Error('the blob stopped coming')
    return false
  }

  async #readAt(at: number): Promise<Buffer> {
    const length = Math.min(READ_BYTES, this.#written - at)
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, at)
    return buffer.subarray(0, bytesRead)
  }

  async #writeWaiting(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const pieces = this.#waiting
        this.#waiting = []
        const { bytesWritten } = await this.#file.writev(pieces, this.#written)
        this.#written += bytesWritten
        this.#waitingBytes -= bytesWritten
        this.#tell()
      }
    } catch {
      // The disk is full or gone. The copy goes on; followers get the rest from the registry.
      this.#state = 'broken'
      this.#waiting = []
      this.#waitingBytes = 0
      this.#tell()
    } finally {
      this.#writing = undefined
    }
  }

  #tell(): void {
    for (const resolve of this.#news.splice(0)) resolve()
  }
}
