import { visibleJson } from '../../text/invisible.ts'

/** A stream that may be a terminal, as `process.stdout` is. */
export type OutputStream = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly rows?: number | undefined
}

/** Where the command line writes: what was asked for, and what is to be said about it. */
export interface Streams {
  readonly stdout: OutputStream
  readonly stderr: OutputStream
}

/** Somebody who has seen enough closes the pipe, as `head` does; that is no error. */
export function tolerateClosedPipes({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}

export function writeLine(stream: OutputStream, text = ''): void {
  stream.write(`${text}\n`)
}

/** For scripts: one JSON document. */
export function writeJson(stream: OutputStream, value: unknown): void {
  writeLine(stream, visibleJson(JSON.stringify(value, undefined, 2)))
}

export function isTerminal(stream: OutputStream): boolean {
  return stream.isTTY === true
}

/** Characters in a line; infinite where nobody looks at lines. */
export function columnsOf(stream: OutputStream): number {
  if (!isTerminal(stream)) return Infinity
  // Some terminals say 0 when they do not know.
  const { columns = 0 } = stream
  return columns > 0 ? columns : 80
}

/** Characters in a line of a table: what is no terminal, or is to be shown whole, has no end. */
export function tableWidth(stream: OutputStream, { wide }: { readonly wide: boolean }): number {
  return wide ? Infinity : columnsOf(stream)
}

/** Lines that can be seen at once; infinite where nobody looks at lines. */
export function rowsOf(stream: OutputStream): number {
  if (!isTerminal(stream)) return Infinity
  const { rows = 0 } = stream
  return rows > 0 ? rows : 24
}
