import type { ServerResponse } from 'node:http'
import { untilClosed } from './until-closed.ts'

/**
 * Sends a body of that length after a head that was written. No piece is asked for before the one before it is no
 * longer needed, so that all of them may be in the same memory.
 */
export async function sendPieces(
  pieces: AsyncIterable<Buffer>,
  response: ServerResponse,
  length: number,
): Promise<void> {
  const write = writer(response)
  let left = length
  try {
    for await (const piece of pieces) {
      await write(piece)
      left -= piece.length
    }
  } catch {
    // The client went away, or whoever the bytes come from.
  }
  if (left === 0) response.end()
  // Cutting the connection tells the client that something is missing.
  else response.destroy()
}

/** What it gives resolves when the bytes are no longer needed. */
function writer(response: ServerResponse): (bytes: Buffer) => Promise<void> {
  // Bytes of an answer whose turn on its connection has not come are neither written nor refused when that ends.
  const gone = untilClosed(response)
  let leave: (error: Error) => void = () => undefined
  gone.addEventListener('abort', () => {
    leave(gone.reason as Error)
  })
  return (bytes) =>
    new Promise((resolve, reject) => {
      gone.throwIfAborted()
      leave = reject
      response.write(bytes, (error) => {
        if (error) reject(error)
        else resolve()
      })
    })
}
