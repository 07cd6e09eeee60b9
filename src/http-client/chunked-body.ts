/** The bytes between the chunks are no HTTP. */
export class MalformedChunksError extends Error {
  override readonly name = 'MalformedChunksError'

  constructor(what: string) {
    super(`the body is not in chunks as HTTP has them: ${what}`)
  }
}

// Extensions are allowed and mean nothing to anybody; nobody sends long ones.
const MAX_LINE_BYTES = 1_024
const MAX_TRAILER_BYTES = 16 * 1_024

const SIZE_LINE = /^([\da-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/i
const TRAILER_LINE = /^[!#$%&'*+\-.^_`|~\w]+:[\t\x20-\x7e\x80-\xff]*$/

/**
 * Takes a body in chunks apart, as strictly as RFC 9112, section 7.1, writes it: no bare line feeds, nothing
 * between a chunk and its end. Extensions and trailers are read away.
 */
export class ChunkedBody {
  /** Of the chunk that is being read. */
  #left = 0
  #line = ''
  #expects: 'size' | 'bytes' | 'end-of-chunk' | 'trailer' | 'nothing' = 'size'
  #trailerBytes = 0

  /** The last chunk and all that follows it was read. */
  get complete(): boolean {
    return this.#expects === 'nothing'
  }

  /**
   * What the next bytes have of the body, in the same memory, and whether there is more in them than belongs to it.
   * Throws a MalformedChunksError.
   */
  read(bytes: Buffer): { readonly pieces: readonly Buffer[]; readonly surplus: boolean } {
    const pieces: Buffer[] = []
    let at = 0
    while (at < bytes.length && !this.complete) {
      if (this.#expects === 'bytes') {
        const piece = bytes.subarray(at, at + this.#left)
        pieces.push(piece)
        at += piece.length
        this.#left -= piece.length
        if (this.#left === 0) this.#expects = 'end-of-chunk'
      } else {
        at = this.#readLine(bytes, at)
      }
    }
    return { pieces, surplus: at < bytes.length }
  }

  /** Gives back where the line, or what there is of it, ends. */
  #readLine(bytes: Buffer, at: number): number {
    const feed = bytes.indexOf(0x0a, at)
    const end = feed < 0 ? bytes.length : feed + 1
    if (this.#line.length + end - at > MAX_LINE_BYTES) {
      throw new MalformedChunksError('a line is too long')
    }
    this.#line += bytes.toString('latin1', at, end)
    if (feed >= 0) {
      if (!this.#line.endsWith('\r\n')) throw new MalformedChunksError('a bare line feed')
      const line = this.#line.slice(0, -2)
      this.#line = ''
      this.#take(line)
    }
    return end
  }

  #take(line: string): void {
    if (this.#expects === 'size') this.#begin(line)
    else if (this.#expects === 'trailer') this.#takeTrailer(line)
    else if (line === '') this.#expects = 'size'
    else throw new MalformedChunksError('a chunk is longer than it says')
  }

  #begin(line: string): void {
    const digits = SIZE_LINE.exec(line)?.[1]
    if (digits === undefined) throw new MalformedChunksError('no size of a chunk')
    this.#left = Number.parseInt(digits, 16)
    this.#expects = this.#left === 0 ? 'trailer' : 'bytes'
  }

  #takeTrailer(line: string): void {
    this.#trailerBytes += line.length
    if (line === '') this.#expects = 'nothing'
    else if (!TRAILER_LINE.test(line) || this.#trailerBytes > MAX_TRAILER_BYTES) {
      throw new MalformedChunksError('no trailer')
    }
  }
}
