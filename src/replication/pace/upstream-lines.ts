import type { TransferClass, TransferLimit } from './transfer-limit.ts'
import { firstOf, TransferLine, type Waiting } from './transfer-line.ts'
import type { TransferRate } from './transfer-rate.ts'
import { UsualRate } from './usual-rate.ts'
import { UsualWait } from './usual-wait.ts'

/** So many starts in turn, and then one out of turn. */
const TURNS = 15

interface LineKind extends TransferClass {
  readonly uploads: boolean
  readonly asks: boolean
}

export interface UpstreamLimits {
  readonly transfers: TransferLimit
  /** Of requests that only ask what there is. */
  readonly asks: TransferLimit
  /** To the local registry, from all upstreams. */
  readonly uploads: TransferLimit
}

/** All that waits for slots of one upstream, and how fast what runs may go. */
export class UpstreamLines {
  readonly rate: TransferRate
  readonly usual = new UsualRate()
  readonly wait = new UsualWait()
  readonly #limits: UpstreamLimits
  readonly #lines = new Map<string, TransferLine>()
  #startsInTurn = 0
  #outOfTurn: Waiting | undefined

  constructor(limits: UpstreamLimits, rate: TransferRate) {
    this.rate = rate
    this.#limits = limits
  }

  line(kind: LineKind): TransferLine {
    const key = [kind.background, kind.large, kind.uploads, kind.asks].join()
    const known = this.#lines.get(key)
    if (known !== undefined) return known
    const line = new TransferLine(kind, this.#limitsOf(kind))
    this.#lines.set(key, line)
    return line
  }

  /** Large transfers that run. */
  get large(): number {
    return this.#limits.transfers.large
  }

  #limitsOf({ uploads, asks }: LineKind): readonly TransferLimit[] {
    if (asks) return [this.#limits.asks]
    const { transfers, uploads: local } = this.#limits
    return uploads ? [transfers, local] : [transfers]
  }

  /** Whose turn it is, of those that there is room for. */
  first(): Waiting | undefined {
    return firstOf([...this.#lines.values()].map((line) => line.first))
  }

  /** Who has waited longest, when it is time to let that one go first and there is room for it. */
  due(): Waiting | undefined {
    if (this.#startsInTurn < TURNS || this.#outOfTurn !== undefined) return undefined
    let longest: TransferLine | undefined
    for (const line of this.#lines.values()) {
      if (arrivalIn(line) < arrivalIn(longest)) longest = line
    }
    return longest?.isOpen === true ? longest.longestWaiting : undefined
  }

  begin(line: TransferLine, waiting: Waiting): HeldSlot {
    if (this.due() === waiting) {
      this.#outOfTurn = waiting
      this.#startsInTurn = 0
    } else {
      this.#startsInTurn += 1
    }
    line.remove(waiting)
    line.take()
    return new HeldSlot(line, () => {
      if (this.#outOfTurn === waiting) this.#outOfTurn = undefined
    })
  }
}

/** The slots of one transfer that runs. */
export class HeldSlot {
  readonly #line: TransferLine
  readonly #ended: () => void
  #lent = false

  constructor(line: TransferLine, ended: () => void) {
    this.#line = line
    this.#ended = ended
  }

  /** Lent, others may have it; taken back, it is held beside whoever has it then. */
  setLent(lent: boolean): void {
    if (lent === this.#lent) return
    if (lent) this.#lent = this.#line.lend()
    else this.#takeBack()
  }

  end(): void {
    if (this.#lent) this.#takeBack()
    this.#line.give()
    this.#ended()
  }

  #takeBack(): void {
    this.#lent = false
    this.#line.takeBack()
  }
}

function arrivalIn(line: TransferLine | undefined): number {
  return line?.longestWaiting?.arrived ?? Infinity
}
