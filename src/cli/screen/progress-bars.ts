import type { BlobProgress } from '../../replication/progress.ts'
import { formatBytes } from '../../text/format-bytes.ts'

/** A longer one shows no more. */
const LONGEST_BAR = 40
/** A shorter one says less than the percent behind it. */
const SHORTEST_BAR = 10
/** As `docker pull` shortens digests, without the algorithm. */
const HEX_SHOWN = 12
/** `1023.9 MiB`: what grows must not move what stands beside it. */
const LONGEST_AMOUNT = 10

/**
 * A line for each blob, none longer than `columns`: `  1f3ad8c0b7e2  [===>    ]  1.2 MiB of 3.0 MiB   40%`.
 * What has no room is left out, the bar first, then the bytes.
 */
export function progressBars(blobs: readonly BlobProgress[], columns: number): readonly string[] {
  const sizes = blobs.map(({ size }) => formatBytes(size))
  const longestSize = Math.max(...sizes.map(({ length }) => length))
  return blobs.map((blob) => {
    const size = formatBytes(blob.size).padEnd(longestSize)
    const amounts = `${formatBytes(blob.bytes).padStart(LONGEST_AMOUNT)} of ${size}`
    return lineOf(blob, amounts, columns)
  })
}

function lineOf(blob: BlobProgress, amounts: string, columns: number): string {
  const [, hex = ''] = blob.digest.split(':')
  const name = `  ${hex.slice(0, HEX_SHOWN)}`
  const done = doneOf(blob)
  const percent = `${Math.floor(done * 100)}%`.padStart(4)
  const withAmounts = [name, amounts, percent].join('  ')
  const room = columns - withAmounts.length - '[]  '.length
  if (room >= SHORTEST_BAR) {
    return [name, barOf(done, Math.min(room, LONGEST_BAR)), amounts, percent].join('  ')
  }
  if (withAmounts.length <= columns) return withAmounts
  return [name, percent].join('  ').slice(0, columns)
}

/** From 0 to 1; an upstream may send more than it said. */
function doneOf({ bytes, size }: BlobProgress): number {
  return bytes >= size ? 1 : bytes / size
}

function barOf(done: number, width: number): string {
  const full = '='.repeat(Math.floor(done * width))
  return `[${(full.length < width ? `${full}>` : full).padEnd(width)}]`
}
