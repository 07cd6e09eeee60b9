import type { Readable } from 'node:stream'

/**
 * Copies a stream's next bytes into a buffer until that is full or the stream ends; what is left of
 * the last piece stays in the stream. Resolves with how many there were. Bytes lie nowhere else
 * meanwhile: with thousands of pieces in queues a garbage collector does more work than the copy.
 */
export async function readInto(body: Readable, buffer: Buffer): Promise<number> {
  if (body.readableEnded || buffer.length === 0) return 0
  return await new Promise((resolve, reject) => {
    let length = 0
    const settle = (settled: () => void) => {
      body.off('data', take).off('end', ended).off('close', closed).pause()
      settled()
    }
    const take = (piece: Buffer) => {
      const copied = piece.copy(buffer, length)
      length += copied
      if (length < buffer.length) return
      settle(() => {
        if (copied < piece.length) body.unshift(piece.subarray(copied))
        resolve(length)
      })
    }
    const ended = () => {
      settle(() => {
        resolve(length)
      })
    }
    const closed = () => {
      settle(() => {
        reject(body.errored ?? new Error('the stream was destroyed while it was read'))
      })
    }
    if (body.destroyed) closed()
    else body.on('data', take).once('end', ended).once('close', closed).resume()
  })
}
