import { type FileHandle, open } from 'node:fs/promises'

/** Where bytes of a blob are, one after the other. */
export interface BlobFile {
  /** Where in the blob it begins. */
  readonly from: number
  /** Bytes that were appended. */
  readonly length: number
  /** So many of the latest can be read … */
  readonly capacity: number
  /** … and all before that, however many come. */
  readonly keptUntil: number
  /** Of a disk that is nearly full, some of them; of one that is full, it throws. */
  append(pieces: readonly Buffer[]): Promise<void>
  /** Up to so many bytes from there on. */
  read(at: number, length: number): Promise<Buffer>
  /** Never rejects: what a failing disk says at the end is of no use to anybody. */
  close(): Promise<void>
}

/**
 * Part of a blob, in a file that outlives the process. A machine that loses its power may leave wrong
 * bytes in it, so whoever uses what was left has to verify it.
 */
export class SpoolFile implements BlobFile {
  readonly capacity = Infinity
  readonly keptUntil = Infinity
  readonly path: string
  readonly from: number
  readonly #file: FileHandle
  #length: number

  private constructor(path: string, file: FileHandle, part: { from: number; length: number }) {
    this.path = path
    this.#file = file
    this.from = part.from
    this.#length = part.length
  }

  static async create(path: string, from: number): Promise<SpoolFile> {
    return new SpoolFile(path, await open(path, 'wx+', 0o600), { from, length: 0 })
  }

  /** What an earlier process, or an earlier attempt, wrote: each byte follows the one before. */
  static async reopen(path: string, from: number): Promise<SpoolFile> {
    const file = await open(path, 'r+')
    try {
      return new SpoolFile(path, file, { from, length: (await file.stat()).size })
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get length(): number {
    return this.#length
  }

  async append(pieces: readonly Buffer[]): Promise<void> {
    const { bytesWritten } = await this.#file.writev(pieces, this.#length)
    this.#length += bytesWritten
  }

  async read(at: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(length, this.#length - at))
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at)
    return buffer.subarray(0, bytesRead)
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined)
  }
}
