import type { Readable } from 'node:stream'
import type { Descriptor } from '../../oci/descriptor.ts'
import { abortReason, onAbort } from '../../waiting/aborting.ts'
import { VerifiedBody } from './verified-body.ts'

/** A blob on its way to the registry: verified from its first byte on, and let go of when it is disposed of. */
export class ComingBlob implements Disposable {
  readonly verified: VerifiedBody
  readonly #body: Readable
  readonly #stopListening: () => void

  /** @param offset where the body begins, in bytes; what came before it is the registry's to verify */
  constructor(body: Readable, descriptor: Descriptor, signal: AbortSignal, offset = 0) {
    this.#body = body
    this.verified = new VerifiedBody(body, descriptor, offset)
    // Kept for good: a body that has ended is given up, too, where another part of the copy fails meanwhile, and
    // then nobody else listens. What failed is said by whoever reads it.
    this.verified.on('error', () => undefined)
    this.#stopListening = onAbort(signal, () => this.verified.destroy(abortReason(signal)))
  }

  /** Why there is not more of it, where that is its own fault. */
  get failure(): Error | undefined {
    return this.verified.errored ?? undefined
  }

  [Symbol.dispose](): void {
    this.#stopListening()
    this.verified.destroy()
    this.#body.destroy()
  }
}
