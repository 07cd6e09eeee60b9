import { columnsOf, type OutputStream, rowsOf, writeLine } from './io.ts'

const CLEAR_REST_OF_LINE = '\u001b[K'
const CLEAR_ALL_BELOW = '\u001b[J'

/** The last lines of a terminal, painted over again and again; meanwhile nobody else writes there. */
export class RepaintedLines {
  readonly #terminal: OutputStream
  /** The cursor stands at the end of the last one. */
  #painted: readonly string[] = []

  constructor(terminal: OutputStream) {
    this.#terminal = terminal
  }

  /** These instead of those that were there. What the terminal has no room for is cut. */
  paint(lines: readonly string[]): void {
    // A line that fills the last column, or one more than there are, would make the terminal scroll.
    const columns = columnsOf(this.#terminal) - 1
    const shown = lines.slice(0, rowsOf(this.#terminal)).map((line) => line.slice(0, columns))
    // Cleared behind what is new, not before it: that would flicker.
    const text = shown.join(`${CLEAR_REST_OF_LINE}\n`)
    this.#terminal.write(`${this.#toFirst()}${text}${CLEAR_ALL_BELOW}`)
    this.#painted = shown
  }

  /** As if nothing had been painted. */
  clear(): void {
    this.#terminal.write(`${this.#toFirst()}${CLEAR_ALL_BELOW}`)
    this.#painted = []
  }

  /** What was painted stays; what is written next stands below it. */
  leave(): void {
    if (this.#painted.length > 0) writeLine(this.#terminal)
    this.#painted = []
  }

  #toFirst(): string {
    // A terminal that was made narrower meanwhile has wrapped what is on it.
    const columns = columnsOf(this.#terminal)
    const rows = this.#painted.map(({ length }) => Math.max(1, Math.ceil(length / columns)))
    const up = rows.reduce((sum, count) => sum + count, 0) - 1
    return up > 0 ? `\r\u001b[${up}A` : '\r'
  }
}
