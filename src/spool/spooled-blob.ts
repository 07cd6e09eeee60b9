import { type FileHandle, open, unlink } from 'node:fs/promises'
import { Readable } from 'node:stream'

/** More than that waiting for the disk holds the copy up: memory must not grow with a slow disk. */
const MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024
/** The latest bytes stay in memory: who reads as fast as they come needs no disk. */
const KEPT_BYTES = 2 * 1024 * 1024
const READ_BYTES = 256 * 1024

type State = 'arriving' | 'complete' | 'broken' | 'disk-refused'

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
  /** From `#keptFrom` to `#received`, never without what is not written yet. */
  readonly #kept: Buffer[] = []
  #keptFrom = 0
  #received = 0
  #state: State = 'arriving'
  #readers = 0
  #removed = false
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

  /** Takes the next bytes, once there is memory for them; false when it takes no more. */
  async append(bytes: Buffer): Promise<boolean> {
    while (this.arriving && this.#unwritten > MAX_UNWRITTEN_BYTES) await this.#writing
    if (this.#state !== 'arriving') return false
    this.#kept.push(bytes)
    this.#received += bytes.length
    this.#writing ??= this.#write()
    this.#tell()
    return true
  }

  /** Nothing more comes. Followers read to the end when all of it came, else they are cut there. */
  async end(complete: boolean): Promise<void> {
    await this.#writing
    if (this.#state !== 'arriving') return
    this.#state = complete ? 'complete' : 'broken'
    this.#forget()
    this.#tell()
  }

  /** The blob's bytes from `offset` on; undefined when it begins after that. Cut when it breaks. */
  read(offset: number): Readable | undefined {
    if (offset < this.from || this.#removed) return undefined
    return Readable.from(this.follow(offset), { objectMode: false })
  }

  /** As `read`, of bytes that are not before the first one. */
  async *follow(offset: number): AsyncGenerator<Buffer> {
    this.#readers += 1
    try {
      for (let at = offset - this.from; await this.#hasAfter(at);) {
        const piece = await this.#readAt(at)
        at += piece.length
        yield piece
      }
    } finally {
      this.#readers -= 1
      if (this.#removed && this.#readers === 0) await this.#file.close()
    }
  }

  /** Its place on disk is given back once the last follower has gone. */
  async remove(): Promise<void> {
    if (this.#removed) return
    this.#removed = true
    if (this.#state === 'arriving') await this.end(false)
    await unlink(this.#path).catch(() => undefined)
    if (this.#readers === 0) await this.#file.close()
  }

  /** Resolves when there is more to read, or with false when that was all. Throws when it was not. */
  async #hasAfter(at: number): Promise<boolean> {
    while (at >= this.#received && this.#state === 'arriving') {
      await new Promise<void>((resolve) => this.#news.push(resolve))
    }
    if (at < this.#received) return true
    if (this.#state === 'complete') return false
    throw new Error('the blob stopped coming')
  }

  async #readAt(at: number): Promise<Buffer> {
    if (at >= this.#keptFrom) return this.#keptAt(at)[0] ?? Buffer.alloc(0)
    const length = Math.min(READ_BYTES, this.#written - at)
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, at)
    return buffer.subarray(0, bytesRead)
  }

  /** What is in memory from there on. */
  #keptAt(at: number): Buffer[] {
    let from = this.#keptFrom
    const first = this.#kept.findIndex(({ length }) => (from += length) > at)
    const [piece, ...rest] = first < 0 ? [] : this.#kept.slice(first)
    return piece === undefined ? [] : [piece.subarray(piece.length - (from - at)), ...rest]
  }

  get #unwritten(): number {
    return this.#received - this.#written
  }

  async #write(): Promise<void> {
    try {
      while (this.#unwritten > 0) {
        // A part only, when the disk is nearly full; then the next one fails.
        const { bytesWritten } = await this.#file.writev(this.#keptAt(this.#written), this.#written)
        this.#written += bytesWritten
        this.#forget()
      }
    } catch {
      // The disk is full or gone. The copy goes on; followers get the rest from the registry.
      this.#state = 'disk-refused'
      this.#tell()
    } finally {
      this.#writing = undefined
    }
  }

  #forget(): void {
    const kept = this.#state === 'arriving' ? KEPT_BYTES : 0
    const until = Math.min(this.#written, this.#received - kept)
    for (let [first] = this.#kept; first !== undefined; [first] = this.#kept) {
      if (this.#keptFrom + first.length > until) return
      this.#kept.shift()
      this.#keptFrom += first.length
    }
  }

  #tell(): void {
    for (const resolve of this.#news.splice(0)) resolve()
  }
}
