import { onAbort, abortReason } from './aborting.ts'

interface Waiting {
  readonly size: number
  readonly grant: (buffer: Buffer) => void
}

/**
 * The memory that uploads in chunks may take, however many there are. Chunks are as large as what a
 * garbage collector is slowest with, so their memory is used again instead.
 */
export class ChunkBuffers {
  readonly #limit: number
  readonly #waiting: Waiting[] = []
  #free: Buffer[] = []
  #taken = 0

  /** @param limit in bytes, of all that is taken at once; a single larger chunk passes alone */
  constructor(limit: number) {
    this.#limit = limit
  }

  /**
   * A buffer of `size` bytes, whatever they are, when there is room for it; first come, first served.
   * Whoever waits must not keep another one from being given back.
   */
  async take(size: number, signal: AbortSignal): Promise<Buffer> {
    signal.throwIfAborted()
    return await new Promise((resolve, reject) => {
      const waiting: Waiting = {
        size,
        grant: (buffer) => {
          stopListening()
          resolve(buffer)
        },
      }
      const stopListening = onAbort(signal, () => {
        const at = this.#waiting.indexOf(waiting)
        if (at === -1) return
        this.#waiting.splice(at, 1)
        reject(abortReason(signal))
        this.#grantNext()
      })
      this.#waiting.push(waiting)
      this.#grantNext()
    })
  }

  /** The same; undefined when there was no room for so long. */
  async takeWithin(ms: number, size: number, signal: AbortSignal): Promise<Buffer | undefined> {
    const late = AbortSignal.timeout(ms)
    try {
      return await this.take(size, AbortSignal.any([signal, late]))
    } catch (error) {
      if (late.aborted && !signal.aborted) return undefined
      throw error
    }
  }

  /** Nobody may read or write it any more: the next one to take it will. */
  giveBack(buffer: Buffer): void {
    this.#free.push(buffer)
    this.forget(buffer)
  }

  /** Gives back the room alone, where a broken request might still read the memory. */
  forget({ length }: Buffer): void {
    this.#taken -= length
    this.#grantNext()
    // An idle worker holds none.
    if (this.#taken === 0) this.#free = []
  }

  #grantNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#taken > 0 && this.#taken + next.size > this.#limit) return
      this.#waiting.shift()
      this.#taken += next.size
      next.grant(this.#bufferOf(next.size))
    }
  }

  #bufferOf(size: number): Buffer {
    const last = this.#free.pop()
    if (last?.length === size) return last
    // Of another size: chunks of this registry are of one, but for what it is told by `OCI-Chunk-Min-Length`.
    return Buffer.allocUnsafeSlow(size)
  }
}
