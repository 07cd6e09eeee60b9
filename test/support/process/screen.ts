import { Writable } from 'node:stream'

export interface ScreenSize {
  readonly columns: number
  readonly rows: number
}

/**
 * A terminal as somebody sees it who looks at it: text wraps and scrolls, the cursor moves. It knows
 * what pullsync may send, and fails for anything else.
 */
export class Screen extends Writable {
  readonly isTTY = true
  columns: number
  rows: number
  /** All lines, also those that have scrolled away. */
  #lines = ['']
  #row = 0
  #column = 0

  constructor({ columns, rows }: ScreenSize) {
    super({ decodeStrings: false })
    this.columns = columns
    this.rows = rows
  }

  /** What is there, also what has scrolled away, without empty space at the end. */
  get lines(): readonly string[] {
    const lines = this.#lines.map((line) => line.trimEnd())
    return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1)
  }

  /** As terminals do it that wrap what is there anew; the cursor stays behind the same character. */
  narrow(columns: number): void {
    const before = this.#lines.slice(0, this.#row + 1)
    const after = this.#lines.slice(this.#row + 1)
    const wrapped = before.flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, 'g')) ?? [''])
    this.columns = columns
    this.#lines = [...wrapped, ...after]
    this.#row = wrapped.length - 1
    this.#column = wrapped.at(-1)?.length ?? 0
  }

  override _write(text: string | Buffer, _encoding: string, done: () => void): void {
    for (const part of text.toString().match(/\u001b\[\d*[A-Z]|[^]/g) ?? []) this.#take(part)
    done()
  }

  #take(part: string): void {
    const line = this.#lines[this.#row] ?? ''
    if (part === '\n') this.#goTo(this.#row + 1, 0)
    else if (part === '\r') this.#column = 0
    else if (part.endsWith('A') && part.length > 1) this.#up(Number(part.slice(2, -1)))
    else if (part === '\u001b[K') this.#lines[this.#row] = line.slice(0, this.#column)
    else if (part === '\u001b[J')
      this.#lines.splice(this.#row, Infinity, line.slice(0, this.#column))
    else if (part < ' ') throw new Error(`the screen was sent ${JSON.stringify(part)}`)
    else this.#print(part)
  }

  #print(character: string): void {
    if (this.#column === this.columns) this.#goTo(this.#row + 1, 0)
    const line = (this.#lines[this.#row] ?? '').padEnd(this.#column)
    const rest = line.slice(this.#column + 1)
    this.#lines[this.#row] = line.slice(0, this.#column) + character + rest
    this.#column += 1
  }

  /** Not past the top of what can be seen. */
  #up(count: number): void {
    const top = Math.max(0, this.#lines.length - this.rows)
    this.#row = Math.max(top, this.#row - count)
  }

  #goTo(row: number, column: number): void {
    while (this.#lines.length <= row) this.#lines.push('')
    this.#row = row
    this.#column = column
  }
}
