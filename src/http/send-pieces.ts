import type { ServerResponse } from 'node:http'

/**
 * Sends a body of that length after a head that was written. No piece is asked for before the one before it is no
 * longer needed, so that all of them may be in the same memory.
 */
export async function sendPieces(
  pieces: AsyncIterable<Buffer>,
  response: ServerResponse,
  length: number,
): Promise<void> {
  let left = length
  try {
    for await (const piece of pieces) {
      await written(response, piece)
      left -= piece.length
    }
  } catch {
    // The client went away, or whoever the bytes come from.
  }
  if (left === 0) response.end()
  // Cutting the connection tells the client that something is missing.
  else response.destroy()
}

/** Resolves when the bytes are no longer needed. */
async function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const gone = () => {
      reject(new Error('the client went away'))
    }
    response.once('close', gone)
    response.write(bytes, (error) => {
      response.off('close', gone)
      if (error) reject(error)
      else resolve()
    })
  })
}
