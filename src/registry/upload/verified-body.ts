import type { Hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Descriptor } from '../../oci/descriptor.ts'
import { algorithmOf, finishDigest, hashFor } from '../../oci/digest.ts'
import { ReplicationError } from '../../replication/errors.ts'
import { PassThroughBody } from '../../waiting/pass-through-body.ts'

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

/**
 * Passes a blob through while hashing and counting it. The last chunk is held back until size and
 * digest are proven, so a receiver that was told the length can never take wrong bytes for the blob.
 */
export class VerifiedBody extends PassThroughBody {
  readonly #descriptor: Descriptor
  readonly #hash: Hash | undefined
  #size: number
  #held: Buffer | undefined
  #proven = false

  /** @param offset in bytes: what comes before it passed elsewhere, and is for the receiver to hash */
  constructor(body: Readable, descriptor: Descriptor, offset = 0) {
    super()
    this.#descriptor = descriptor
    this.#size = offset
    this.#hash = offset === 0 ? hashFor(descriptor.digest) : undefined
    this.relay(body)
  }

  /** True once every byte came and, as far as all passed here, was right. */
  get proven(): boolean {
    return this.#proven
  }

  protected override pass(piece: Buffer): Buffer | undefined {
    this.#size += piece.length
    // Endless bodies end here, not at the disk's limit.
    if (this.#size > this.#descriptor.size) {
      this.destroy(this.#wrongSize(`more than that`))
      return undefined
    }
    this.#hash?.update(piece)
    const before = this.#held
    this.#held = piece
    return before
  }

  protected override last(): Buffer | undefined {
    const { digest, size } = this.#descriptor
    const got = this.#hash && finishDigest(algorithmOf(digest), this.#hash)
    if (this.#size !== size) {
      this.destroy(this.#wrongSize(`${this.#size}`))
    } else if (got !== undefined && got !== digest) {
      this.destroy(new CorruptBlobError(this.#descriptor, digest, got))
    } else {
      this.#proven = true
      return this.#held
    }
    return undefined
  }

  protected override broken(cause: Error): void {
    this.destroy(cause)
  }

  #wrongSize(got: string): CorruptBlobError {
    return new CorruptBlobError(this.#descriptor, `${this.#descriptor.size} bytes`, got)
  }
}
