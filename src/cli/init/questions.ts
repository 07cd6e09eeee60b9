import { createInterface, type Interface } from 'node:readline'
import type { Readable } from 'node:stream'
import { CommandError } from '../command-error.ts'
import type { OutputStream } from '../screen/io.ts'

/** A terminal's input, as `process.stdin` is. */
export type Terminal = Readable & {
  readonly isTTY?: boolean
  setRawMode?: (raw: boolean) => unknown
}

/** Asks a person, one thing after the other. Disposing of it gives the terminal back. */
export class Questions implements Disposable {
  readonly #input: Terminal
  readonly #output: OutputStream
  readonly #reading: Interface
  readonly #lines: AsyncIterator<string>

  constructor(input: Terminal, output: OutputStream) {
    this.#input = input
    this.#output = output
    this.#reading = createInterface({ input, crlfDelay: Infinity })
    this.#lines = this.#reading[Symbol.asyncIterator]()
  }

  /** What is typed, or the proposal where that is nothing. Asks again what `wrong` gives a reason against. */
  async ask(
    question: string,
    {
      proposal = '',
      wrong,
    }: { proposal?: string; wrong?: (text: string) => string | undefined } = {},
  ): Promise<string> {
    for (;;) {
      this.#output.write(proposal === '' ? `${question}: ` : `${question} [${proposal}]: `)
      const text = (await this.#line()) || proposal
      const reason = wrong?.(text)
      if (reason === undefined) return text
      this.#output.write(`${reason}\n`)
    }
  }

  /** As `ask`, but what is typed is not shown. */
  async askSecret(question: string): Promise<string> {
    // Raw, the terminal does not show what is typed. The interface goes on to make lines of it. Before the
    // question is there, so that nobody can be quicker.
    this.#input.setRawMode?.(true)
    try {
      this.#output.write(`${question}: `)
      return await this.#line()
    } finally {
      this.#input.setRawMode?.(false)
      this.#output.write('\n')
    }
  }

  async #line(): Promise<string> {
    const next: IteratorResult<string, unknown> = await this.#lines.next()
    if (next.done === true) throw new CommandError('the questions were not answered to the end')
    // Raw input has what the terminal would have made of it.
    const { value } = next
    if (value.includes('\u0003')) throw new CommandError('called off')
    return withoutErased(value).trim()
  }

  [Symbol.dispose](): void {
    this.#reading.close()
  }
}

/** A character and the erase key behind it are nothing. */
function withoutErased(line: string): string {
  let text = ''
  for (const char of line)
    text = char === '\u007f' || char === '\b' ? text.slice(0, -1) : text + char
  return text
}
