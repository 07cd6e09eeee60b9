import { tableLines } from './table.ts'

export interface FittedTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** Columns that can be left out, by their heads; those that are missed least come first. */
  readonly spare: readonly string[]
  /** A column of sentences, by its head: cut down to so many characters before any is left out. */
  readonly elastic?: { readonly head: string; readonly least: number }
}

/** Between two columns. */
const GAP = 2
/** A column that is cut still shows so much. */
const LEAST = 8

/** As `tableLines`, no line longer than `columns`: columns are left out as far as need be, then the widest is cut. */
export function fittedLines(table: FittedTable, columns: number): readonly string[] {
  const { head, rows } = withoutSpare(table, columns)
  const widths = widthsOf(head, rows)
  const tooMuch = lengthOf(widths) - columns
  if (tooMuch <= 0) return tableLines(head, rows)
  const widest = widths.indexOf(Math.max(...widths))
  const room = Math.max(LEAST, (widths[widest] ?? 0) - tooMuch)
  const shown = rows.map((row) => row.map((cell, i) => (i === widest ? cut(cell, room) : cell)))
  return tableLines(
    head.map((cell, i) => (i === widest ? cut(cell, room) : cell)),
    shown,
  ).map((line) => cut(line, columns))
}

function withoutSpare({ head, rows, spare, elastic }: FittedTable, columns: number) {
  const left = new Set<number>(head.keys())
  const only = <T>(cells: readonly T[]) => cells.filter((_cell, i) => left.has(i))
  const widths = widthsOf(head, rows).map((width, i) =>
    head[i] === elastic?.head ? Math.min(width, elastic?.least ?? width) : width,
  )
  for (const name of spare) {
    if (lengthOf(only(widths)) <= columns) break
    left.delete(head.indexOf(name))
  }
  return { head: only(head), rows: rows.map(only) }
}

function widthsOf(head: readonly string[], rows: readonly (readonly string[])[]): number[] {
  return head.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i]?.length ?? 0)))
}

function lengthOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP, -GAP)
}

function cut(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`
}
