import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { SpooledBlob } from './spooled-blob.ts'

// A file gives more at once than a socket does.
const BUFFERED_BYTES = 512 * 1024

/** What is here by then is handed to the followers before it is read: they wait, the copy does not. */
const FOLLOWERS_FIRST_MS = 5_000

/**
 * The same bytes as `body`, by way of the spool: fetched as fast as the disk takes them, so that
 * followers wait for nobody, and read as fast as they are wanted. A disk that takes no more is done
 * without. Destroys both when it is destroyed.
 *
 * @param size how many bytes are expected; little more than that is read
 */
export function byWayOf(spooled: SpooledBlob, body: Readable, size: number): Readable {
  const passed = Readable.from(passing(spooled, body, size), {
    objectMode: false,
    highWaterMark: BUFFERED_BYTES,
  })
  passed.once('close', () => {
    body.destroy()
    void spooled.end(false)
  })
  return passed
}

async function* passing(
  spooled: SpooledBlob,
  body: Readable,
  size: number,
): AsyncGenerator<Buffer> {
  const filled = fill(spooled, body, size)
  // Asked for below, if its failure makes a difference.
  filled.catch(() => undefined)
  await settledWithin(FOLLOWERS_FIRST_MS, filled)
  try {
    for await (const piece of spooled.follow(spooled.from)) yield piece
  } catch (error) {
    const refused = await filled
    if (refused === undefined) throw error
    yield* refused
    yield* body as AsyncIterable<Buffer>
  }
}

async function settledWithin(limitMs: number, work: Promise<unknown>): Promise<void> {
  const enough = new AbortController()
  const tooLate = delay(limitMs, undefined, { signal: enough.signal, ref: false })
  await Promise.race([work, tooLate]).catch(() => undefined)
  enough.abort()
  tooLate.catch(() => undefined)
}

/** Resolves at the body's end, or with what the disk did not take; rejects as the body does. */
async function fill(
  spooled: SpooledBlob,
  body: Readable,
  size: number,
): Promise<readonly Buffer[] | undefined> {
  let left = size
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (!(await spooled.append(piece))) return [piece]
      left -= piece.length
      // An endless body: whoever verifies it has seen enough.
      if (left < 0) break
    }
    await spooled.end(true)
  } catch (error) {
    await spooled.end(false)
    throw error
  }
  return spooled.arrived ? undefined : []
}
