import { Readable } from 'node:stream'
import type { RegistryError } from '../errors/registry-error.ts'
import type { ByteRange, ExtraSlot, OpenPart } from './byte-range.ts'
import { isHeld } from './continued-blob.ts'

export interface SideBySideOptions {
  readonly range: ByteRange
  readonly partBytes: number
  readonly open: OpenPart
  readonly extra: ExtraSlot
  /** Asked before each further part: whether it is still the faster way. */
  readonly helps: () => boolean
}

/** So many requests at most, and so many parts in memory beside the one that is being read. */
const AT_ONCE = 4

/** As sockets give them: what is kept of a piece keeps all of its part. */
const PIECE_BYTES = 64 * 1024

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
  #held: RegistryError | undefined

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

  /** The server's word that it is not to be asked for a while. */
  get held(): RegistryError | undefined {
    return this.#held
  }

  body(): Readable {
    return Readable.from(this.#pieces(), { objectMode: false })
  }

  async *#pieces(): AsyncGenerator<Buffer> {
    this.#begin()
    try {
      for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
        yield* part.pieces()
        if (!part.isWhole) return
        this.#begin()
      }
    } finally {
      // Those after one that did not come are asked for again.
      this.#ended.abort()
    }
  }

  /** As many as there are slots for: one is the transfer's own. */
  #begin(): void {
    const { range, partBytes, helps } = this.#options
    while (this.#mayBegin && this.#next < range.until) {
      const giveBack = helps() ? this.#slot() : undefined
      if (giveBack === undefined) return
      const part = new Part({
        from: this.#next,
        until: Math.min(this.#next + partBytes, range.until),
      })
      this.#next = part.range.until
      this.#parts.push(part)
      void this.#fetch(part, giveBack)
    }
  }

  get #mayBegin(): boolean {
    if (this.#failed || this.#signal.aborted) return false
    return this.#busy < AT_ONCE && this.#parts.length < AT_ONCE
  }

  /** Alone it would be no faster than the next request over one connection. */
  #slot(): (() => void) | undefined {
    const { range, extra } = this.#options
    const isAlone = this.#parts.length === 0 && this.#next > range.from
    return this.#busy === 0 && !isAlone ? () => undefined : extra()
  }

  /** Never rejects: who asks for the rest of it in the ordinary way is told what is the matter, unless it is held. */
  async #fetch(part: Part, giveBack: () => void): Promise<void> {
    this.#busy += 1
    try {
      const { body, isPart } = await this.#options.open(part.range, this.#signal)
      if (isPart) await part.fill(body)
      else body.destroy()
    } catch (error) {
      if (isHeld(error)) this.#held ??= error
    }
    if (!part.isWhole) this.#failed = true
    this.#busy -= 1
    giveBack()
    part.end()
    this.#begin()
  }
}

/** Bytes that are kept in memory, and can be read while they come. */
class Part {
  readonly range: ByteRange
  /** All of them in one: kept as they come, a byte in a piece of its own would take a hundred. */
  readonly #bytes: Buffer
  #filled = 0
  #isWhole = false
  #isOver = false
  #wake: () => void = () => undefined

  constructor(range: ByteRange) {
    this.range = range
    this.#bytes = Buffer.allocUnsafe(range.until - range.from)
  }

  /** All of it came, and no more than that. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Of what is longer than it said, nothing is kept from the piece on that is too much. */
  async fill(body: Readable): Promise<void> {
    for await (const piece of body as AsyncIterable<Buffer>) {
      const room = this.#bytes.length - this.#filled
      // One that never ends must not keep a connection.
      if (piece.length > room) throw new Error('the part is longer than it said')
      this.#filled += piece.copy(this.#bytes, this.#filled)
      this.#wake()
    }
    this.#isWhole = this.#filled === this.#bytes.length
  }

  /** Nothing more comes. */
  end(): void {
    this.#isOver = true
    this.#wake()
  }

  /** As they come, until nothing more does. */
  async *pieces(): AsyncGenerator<Buffer> {
    let given = 0
    while (given < this.#filled || !this.#isOver) {
      if (given === this.#filled) await new Promise<void>((resolve) => (this.#wake = resolve))
      const until = Math.min(given + PIECE_BYTES, this.#filled)
      if (until > given) yield this.#bytes.subarray(given, until)
      given = until
    }
  }
}
