import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { BlobFile } from './spool-file.ts'

/**
 * The latest part of a blob that is larger than its room: each byte takes the place of the one that came
 * `capacity` bytes before it. Nobody can continue from it, so it has no name and does not outlive its process.
 */
export class WindowFile implements BlobFile {
  readonly from: number
  readonly capacity: number
  readonly keptUntil = 0
  readonly #file: FileHandle
  #length = 0

  private constructor(file: FileHandle, from: number, capacity: number) {
    this.#file = file
    this.from = from
    this.capacity = capacity
  }

  static async create(path: string, from: number, capacity: number): Promise<WindowFile> {
    const file = await open(path, 'wx+', 0o600)
    await unlink(path)
    return new WindowFile(file, from, capacity)
  }

  get length(): number {
    return this.#length
  }

  async append(pieces: readonly Buffer[]): Promise<void> {
    const place = this.#length % this.capacity
    const { bytesWritten } = await this.#file.writev(firstOf(pieces, this.capacity - place), place)
    this.#length += bytesWritten
  }

  async read(at: number, length: number): Promise<Buffer> {
    const place = at % this.capacity
    const there = Math.min(length, this.#length - at, this.capacity - place)
    const buffer = Buffer.allocUnsafe(there)
    const { bytesRead } = await this.#file.read(buffer, 0, there, place)
    return buffer.subarray(0, bytesRead)
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined)
  }
}

/** The first so many bytes. */
export function firstOf(pieces: readonly Buffer[], bytes: number): Buffer[] {
  const first: Buffer[] = []
  let left = bytes
  for (const piece of pieces) {
    if (left <= 0) break
    first.push(piece.subarray(0, left))
    left -= piece.length
  }
  return first
}
