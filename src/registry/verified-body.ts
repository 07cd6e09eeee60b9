import type { Hash } from 'node:crypto'
import { Transform, type TransformCallback } from 'node:stream'
import type { Descriptor } from '../oci/descriptor.ts'
import { algorithmOf, finishDigest, hashFor } from '../oci/digest.ts'
import { ReplicationError } from '../replication/errors.ts'

/** The bytes that came are not those that the manifest names; nothing of them was committed. */
export class CorruptBlobError extends ReplicationError {
  override readonly name = 'CorruptBlobError'

  constructor({ digest }: Descriptor, expected: string, got: string) {
    const what = `blob ${digest} arrived wrong: expected ${expected}, got ${got}`
    super(
      `${what}. The upstream, or a proxy before it, changed or cut it; nothing was committed. If this stays, push the image to the upstream again.`,
      { disposition: 'transient' },
    )
  }
}

// As for response bodies: a thread busy with hashing must not leave the socket waiting.
const BUFFERED_BYTES = 256 * 1024

/**
 * Passes a blob through while hashing and counting it. The last chunk is held back until size and
 * digest are proven, so a receiver that was told the length can never take wrong bytes for the blob.
 */
export class VerifiedBody extends Transform {
  readonly #descriptor: Descriptor
  readonly #hash: Hash
  #size = 0
  #held: Buffer | undefined
  #proven = false

  constructor(descriptor: Descriptor) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#descriptor = descriptor
    this.#hash = hashFor(descriptor.digest)
  }

  /** True once every byte came and was right. */
  get proven(): boolean {
    return this.#proven
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.#size += chunk.length
    // Endless bodies end here, not at the disk's limit.
    if (this.#size > this.#descriptor.size) {
      done(this.#wrongSize(`more than that`))
      return
    }
    this.#hash.update(chunk)
    if (this.#held !== undefined) this.push(this.#held)
    this.#held = chunk
    done()
  }

  override _flush(done: TransformCallback): void {
    const { digest, size } = this.#descriptor
    if (this.#size !== size) {
      done(this.#wrongSize(`${this.#size}`))
      return
    }
    const got = finishDigest(algorithmOf(digest), this.#hash)
    if (got !== digest) {
      done(new CorruptBlobError(this.#descriptor, digest, got))
      return
    }
    this.#proven = true
    done(null, this.#held)
  }

  #wrongSize(got: string): CorruptBlobError {
    return new CorruptBlobError(this.#descriptor, `${this.#descriptor.size} bytes`, got)
  }
}
