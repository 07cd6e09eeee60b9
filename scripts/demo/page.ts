import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'

/** What the demo writes on: a terminal, or a file that gets neither colours nor overwritten lines. */
export interface Page {
  line(text: string, style?: Style): void
  /** Something that goes on; on a terminal the next line takes its place. */
  note(text: string): void
  paint(style: Style, text: string): string
  /** Nothing is written any more. */
  close(): void
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'cyan'

const ERASE_LINE = '\r\u001b[K'

export function openPage(stream: Pick<WriteStream, 'write' | 'isTTY'>): Page {
  const coloured = stream.isTTY && process.env['NO_COLOR'] === undefined
  let open = true
  let noted = false
  function paint(style: Style, text: string): string {
    return coloured ? styleText(style, text) : text
  }
  function line(text: string, style?: Style): void {
    if (!open) return
    stream.write(`${noted ? ERASE_LINE : ''}${style === undefined ? text : paint(style, text)}\n`)
    noted = false
  }
  return {
    line,
    paint,
    note: (text) => {
      if (!stream.isTTY) {
        line(`    ${text}`)
      } else if (open) {
        stream.write(`${ERASE_LINE}    ${paint('dim', text)}`)
        noted = true
      }
    },
    close: () => {
      open = false
    },
  }
}
