import Table from 'cli-table3'

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' },
  middle: '  ',
}

/**
 * Aligned columns without lines around them, so that `grep` and `awk` can work on them: the first
 * element is the head, then one element per row. Cells must not hold line breaks.
 */
export function tableLines(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const table = new Table({
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  table.push([...head], ...rows.map((row) => row.map((cell) => (cell === '' ? '-' : cell))))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
}
