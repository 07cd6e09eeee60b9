import type { Readable } from 'node:stream'

/** Less than that is no progress: a client of a modem sends more. */
const PROGRESS_BYTES = 1024

/**
 * The body, whose sender is cut off when it lets us wait for so long without progress. However long the whole takes
 * does not matter, nor how long whoever reads it takes. Where that is given up the rest is left, and so is the sender.
 */
export async function* progressing(body: Readable, withinMs: number): AsyncGenerator<Buffer> {
  let leftMs = withinMs
  let bytes = 0
  let since = performance.now()
  const stall = () => body.destroy(new Error(`the body made no progress for ${withinMs / 1_000} s`))
  let timer = setTimeout(stall, leftMs)
  try {
    for await (const piece of untouched(body)) {
      clearTimeout(timer)
      leftMs -= performance.now() - since
      bytes += piece.length
      if (bytes >= PROGRESS_BYTES) [leftMs, bytes] = [withinMs, 0]
      yield piece
      since = performance.now()
      timer = setTimeout(stall, Math.max(leftMs, 0))
    }
  } finally {
    clearTimeout(timer)
  }
}

function untouched(body: Readable): AsyncIterable<Buffer> {
  return body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
}
