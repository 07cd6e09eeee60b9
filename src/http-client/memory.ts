/** Where a connection reads its bytes to: gives the next block, never less than `MIN_BLOCK_BYTES` long. */
export type NextBlock = () => Buffer

// What a socket has at once, on a fast network. More at a time was no faster.
const BLOCK_BYTES = 256 * 1024
// What is on its way through a worker holds a dozen of them for each blob: with 256 KiB eight blobs at once took
// 65 MiB more, and no less time.
const KEPT_BLOCK_BYTES = 128 * 1024

/** Each block is new: whoever gets the bytes may keep them. */
export const newBlocks: NextBlock = () => Buffer.allocUnsafeSlow(KEPT_BLOCK_BYTES)

// Dozens of small answers.
const SMALL_BLOCK_BYTES = 32 * 1024

/** The same for connections that give small answers, of which there are many. */
export const smallBlocks: NextBlock = () => Buffer.allocUnsafeSlow(SMALL_BLOCK_BYTES)

/** Two blocks by turns: bytes are good until the next ones are asked for, and nothing is ever allocated. */
export function sameBlocks(): NextBlock {
  let [next, other] = [Buffer.allocUnsafeSlow(BLOCK_BYTES), Buffer.allocUnsafeSlow(BLOCK_BYTES)]
  return () => {
    ;[next, other] = [other, next]
    return other
  }
}
