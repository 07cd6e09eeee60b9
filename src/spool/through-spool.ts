import { Readable } from 'node:stream'
import type { BlobReader } from './blob-readers.ts'
import { IntoSpool } from './into-spool.ts'
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
  readonly #spooled: SpooledBlob
  readonly #filling: IntoSpool
  readonly #pieces: AsyncGenerator<Buffer>
  readonly #reader: BlobReader
  readonly #release: () => void

  constructor(passage: Passage) {
    super({ highWaterMark: BUFFERED_BYTES })
    const { spooled, body, size, offset } = passage
    this.#spooled = spooled
    this.#release = spooled.retain()
    this.#reader = spooled.reader(offset)
    this.#filling = new IntoSpool(body, spooled, size)
    this.#pieces = passing(passage, this.#reader, this.#filling)
  }

  override _read(): void {
    this.#pieces.next().then(
      ({ done, value }) => this.push(done === true ? null : value),
      (error: unknown) => this.destroy(error as Error),
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // With these two, whatever the pieces wait for has an end.
    this.#filling.destroy()
    this.#spooled.leave(this.#reader)
    void this.#spooled.end(false)
    const ended = this.#pieces.return(undefined).catch(() => undefined)
    void ended.then(this.#release)
    done(error)
  }
}

async function* passing(
  { spooled, offset, headStart }: Passage,
  reader: BlobReader,
  filling: IntoSpool,
): AsyncGenerator<Buffer> {
  await headStart(filling.filled)
  let at = offset
  try {
    for await (const piece of spooled.piecesFor(reader)) {
      at += piece.length
      yield piece
    }
  } catch (error) {
    const isWhole = await filling.filled
    // A disk that does not give back what it took leaves a gap.
    if (isWhole || at < spooled.until) throw error
    yield* filling as AsyncIterable<Buffer>
  }
}
