/** Each piece takes a hundred bytes beside its own, so small ones are joined, up to so many bytes. */
const JOINED_BYTES = 16 * 1024
const SMALL_BYTES = JOINED_BYTES / 4

/** The latest bytes of a blob, in memory as they came. */
export class LatestBytes {
  readonly #pieces: Buffer[] = []
  #from: number
  /** Where small ones go, and how far it is filled: the last piece ends there, as long as it is one of them. */
  #block = Buffer.alloc(0)
  #filled = 0
  #isJoining = false

  constructor(from: number) {
    this.#from = from
  }

  /** Where they begin. */
  get from(): number {
    return this.#from
  }

  push(piece: Buffer): void {
    const isSmall = piece.length < SMALL_BYTES
    if (isSmall) this.#join(piece)
    else this.#pieces.push(piece)
    this.#isJoining = isSmall
  }

  /** Those from there on. */
  at(at: number): Buffer[] {
    let from = this.#from
    const first = this.#pieces.findIndex(({ length }) => (from += length) > at)
    const [piece, ...rest] = first < 0 ? [] : this.#pieces.slice(first)
    return piece === undefined ? [] : [piece.subarray(piece.length - (from - at)), ...rest]
  }

  /** Lets go of the pieces that end before that. */
  forget(until: number): void {
    for (let [first] = this.#pieces; first !== undefined; [first] = this.#pieces) {
      if (this.#from + first.length > until) return
      this.#pieces.shift()
      this.#from += first.length
    }
  }

  /** What was read of the piece before stays as it is: only what comes after it is written. */
  #join(piece: Buffer): void {
    const hasRoom = this.#filled + piece.length <= this.#block.length
    const before = this.#isJoining && hasRoom ? (this.#pieces.pop()?.length ?? 0) : 0
    if (!hasRoom) [this.#block, this.#filled] = [Buffer.allocUnsafe(JOINED_BYTES), 0]
    const start = this.#filled - before
    this.#filled += piece.copy(this.#block, this.#filled)
    this.#pieces.push(this.#block.subarray(start, this.#filled))
  }
}
