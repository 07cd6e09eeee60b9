import { Readable } from 'node:stream'
import type { BlobReader } from './blob-readers.ts'
import type { SpooledBlob } from './spooled-blob.ts'

// A file gives more at once than a socket does.
const BUFFERED_BYTES = 512 * 1024

export interface Passage {
  readonly spooled: SpooledBlob
  /** What of the blob is not in the spool yet. */
  readonly body: Readable
  /** How many bytes that should have; little more is read. */
  readonly size: number
  /** Where in the blob to begin; not before the spool does. */
  readonly offset: number
  /** When it may be read, asked with a promise that settles when nothing more of it comes. */
  readonly headStart: (here: Promise<unknown>) => Promise<void>
}

/**
 * A blob's bytes by way of the spool: fetched from now on, as fast as the disk takes them, so that
 * followers wait for nobody, and read as fast as they are wanted. A disk that takes no more is done
 * without. Destroyed, it destroys the body at once.
 */
export function throughSpool(passage: Passage): Readable {
  return new ThroughSpool(passage)
}

class ThroughSpool extends Readable {
  readonly #passage: Passage
  readonly #pieces: AsyncGenerator<Buffer>
  readonly #reader: BlobReader
  readonly #release: () => void

  constructor(passage: Passage) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#passage = passage
    const { spooled, offset } = passage
    this.#release = spooled.retain()
    this.#reader = spooled.reader(offset)
    const filled = fill(passage)
    // Asked for in `passing`, if its failure makes a difference.
    filled.catch(() => undefined)
    this.#pieces = passing(passage, this.#reader, filled)
  }

  override _read(): void {
    this.#pieces.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(error as Error),
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { body, spooled } = this.#passage
    // With these two, whatever the pieces wait for has an end.
    body.destroy()
    spooled.leave(this.#reader)
    void spooled.end(false)
    const ended = this.#pieces.return(undefined).catch(() => undefined)
    void ended.then(this.#release)
    done(error)
  }
}

async function* passing(
  { spooled, body, offset, headStart }: Passage,
  reader: BlobReader,
  filled: Promise<readonly Buffer[] | undefined>,
): AsyncGenerator<Buffer> {
  await headStart(filled)
  let at = offset
  try {
    for await (const piece of spooled.piecesFor(reader)) {
      at += piece.length
      yield piece
    }
  } catch (error) {
    const refused = await filled
    // A disk that does not give back what it took leaves a gap.
    if (refused === undefined || at < spooled.until) throw error
    yield* refused
    yield* body as AsyncIterable<Buffer>
  }
}

/** Resolves at the body's end, or with what the disk did not take; rejects as the body does. */
async function fill({ spooled, body, size }: Passage): Promise<readonly Buffer[] | undefined> {
  let left = size
  try {
    for await (const piece of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (spooled.full) await spooled.drained()
      if (!spooled.append(piece)) return [piece]
      left -= piece.length
      // An endless body: whoever verifies it has seen enough.
      if (left < 0) break
    }
    await spooled.end(left <= 0)
  } catch (error) {
    await spooled.end(false)
    throw error
  }
  return spooled.arrived ? undefined : []
}
