import { Readable } from 'node:stream'
import type { ByteRange, ExtraSlot, OpenPart } from './byte-range.ts'

export interface SideBySideOptions {
  readonly range: ByteRange
  readonly partBytes: number
  readonly open: OpenPart
  readonly extra: ExtraSlot
  /** Asked before each further part: whether it is still the faster way. */
  readonly helps: () => boolean
}

/** With one that is being read, so many parts are in memory at most. */
const AT_ONCE = 4

interface Part {
  /** Undefined when it did not come as it should. */
  readonly pieces: Promise<readonly Buffer[] | undefined>
}

/**
 * Bytes in their order, in parts that are fetched at the same time. It ends where that does not help any more, where
 * there is no slot for a second connection, or where a part does not come: all before that has been given, nothing after it.
 */
export class SideBySide {
  readonly #options: SideBySideOptions
  readonly #parts: Part[] = []
  readonly #ended = new AbortController()
  readonly #signal: AbortSignal
  #next: number
  /** Requests that are under way. */
  #busy = 0
  #failed = false

  /** @param signal when nobody wants any of it */
  constructor(options: SideBySideOptions, signal: AbortSignal) {
    this.#options = options
    this.#next = options.range.from
    this.#signal = AbortSignal.any([signal, this.#ended.signal])
  }

  /** A part did not come. */
  get failed(): boolean {
    return this.#failed
  }

  body(): Readable {
    return Readable.from(this.#pieces(), { objectMode: false })
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    this.#begin()
    try {
      for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
        const pieces = await part.pieces
        if (pieces === undefined) return
        this.#begin()
        yield* pieces
      }
    } finally {
      // Those after one that did not come are asked for again.
      this.#ended.abort()
    }
  }

  /** As many as there are slots for: one is the transfer's own. */
  #begin(): void {
    const { range, partBytes, helps } = this.#options
    while (this.#parts.length < AT_ONCE && this.#next < range.until) {
      const giveBack = !this.#failed && helps() ? this.#slot() : undefined
      if (giveBack === undefined) return
      const part = { from: this.#next, until: Math.min(this.#next + partBytes, range.until) }
      this.#next = part.until
      this.#busy += 1
      const pieces = this.#fetch(part).finally(() => {
        this.#busy -= 1
        giveBack()
      })
      this.#parts.push({ pieces })
    }
  }

  /** Alone it would be no faster than the next request over one connection. */
  #slot(): (() => void) | undefined {
    const { range, extra } = this.#options
    const isAlone = this.#parts.length === 0 && this.#next > range.from
    return this.#busy === 0 && !isAlone ? () => undefined : extra()
  }

  /** Never rejects: who asks for the rest of it in the ordinary way is told what is the matter. */
  async #fetch(range: ByteRange): Promise<readonly Buffer[] | undefined> {
    try {
      const { body, isPart } = await this.#options.open(range, this.#signal)
      if (isPart) return await wholeOf(body, range)
      body.destroy()
    } catch {
      // See above.
    }
    this.#failed = true
    return undefined
  }
}

async function wholeOf(body: Readable, { from, until }: ByteRange): Promise<readonly Buffer[]> {
  const pieces: Buffer[] = []
  let left = until - from
  for await (const piece of body as AsyncIterable<Buffer>) {
    left -= piece.length
    // One that never ends must not fill the memory.
    if (left < 0) break
    pieces.push(piece)
  }
  if (left !== 0) throw new Error('the part has another length than it said')
  return pieces
}
