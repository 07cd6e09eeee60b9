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
export function sameBlocks(bytes = BLOCK_BYTES): NextBlock {
  let [next, other] = [Buffer.allocUnsafeSlow(bytes), Buffer.allocUnsafeSlow(bytes)]
  return () => {
    ;[next, other] = [other, next]
    return other
  }
}

/** With so many at once, none of them is fast, and half a MiB for each would be more than all else. */
const MANY_CONNECTIONS = 128
// What comes over TLS after reading was stopped, 64 KiB at most, has room in the block whose turn it is.
const ONE_OF_MANY_BYTES = 128 * 1024

/** The same, of less memory each where many have theirs already. */
export function sameBlocksBeside(connections: number): NextBlock {
  return sameBlocks(connections < MANY_CONNECTIONS ? BLOCK_BYTES : ONE_OF_MANY_BYTES)
}
