/** What decides which slots of a limit a transfer may take. */
export interface TransferClass {
  /** Nobody waits for it. */
  readonly background: boolean
  readonly large: boolean
}

/** So many times the limit may wait for a silent upstream without a slot. */
const LENT_TIMES = 8

/**
 * A number of slots, some of them kept: one for small transfers, so that a tag of small layers does
 * not wait behind large ones, and one that background work leaves to those somebody waits for. Of
 * two slots there is one for either; a single one is for all.
 */
export class TransferLimit {
  readonly #size: () => number
  readonly #running: TransferClass[] = []
  #lent = 0

  /** @param size asked each time, so that it can follow the number of workers; 0 lets nothing start */
  constructor(size: () => number) {
    this.#size = size
  }

  admits({ background, large }: TransferClass): boolean {
    const size = this.#size()
    if (this.#running.length >= size) return false
    if (background && this.#count((other) => other.background) >= allBut(1, size)) return false
    if (!large) return true
    const larges = this.#count((other) => other.large)
    const ofThisKind = this.#count((other) => other.large && other.background === background)
    return larges < (size > 2 ? size - 1 : size) && ofThisKind < allBut(background ? 2 : 1, size)
  }

  /** Large ones that run. */
  get large(): number {
    return this.#count((transfer) => transfer.large)
  }

  take(transfer: TransferClass): void {
    this.#running.push(transfer)
  }

  give(transfer: TransferClass): void {
    this.#running.splice(this.#running.indexOf(transfer), 1)
  }

  /** False when too many others have lent theirs. */
  get canLend(): boolean {
    return this.#lent < this.#size() * LENT_TIMES
  }

  /** Its slot is for others until it is taken back, which cannot be refused. */
  lend(transfer: TransferClass): void {
    this.give(transfer)
    this.#lent += 1
  }

  takeBack(transfer: TransferClass): void {
    this.take(transfer)
    this.#lent -= 1
  }

  #count(is: (transfer: TransferClass) => boolean): number {
    return this.#running.filter(is).length
  }
}

function allBut(kept: number, size: number): number {
  return Math.max(1, size - kept)
}
