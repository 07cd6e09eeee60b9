import type { Spooled } from './spool.ts'

export interface Following {
  /** To be read at once. Fails when the blob stops coming. */
  readonly pieces: AsyncIterable<Buffer>
  /** How many bytes these are in all. */
  readonly length: number
}

/**
 * The blob from `offset` to before `end`, as it comes; undefined when the spool has not that part.
 *
 * @param signal aborted when the follower leaves
 */
export function follow(
  { blob, size }: Spooled,
  offset: number,
  signal: AbortSignal,
  end = size,
): Following | undefined {
  const length = Math.min(end, size) - offset
  const pieces = length >= 0 ? blob.follow(offset, signal, length) : undefined
  return pieces && { pieces: atMost(length, pieces), length }
}

/** An upstream may send more than it should; whoever verifies it will see. */
async function* atMost(length: number, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let left = length
  for await (const piece of pieces) {
    yield piece.subarray(0, left)
    left -= piece.length
    if (left <= 0) return
  }
}
