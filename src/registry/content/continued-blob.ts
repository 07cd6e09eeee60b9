import type { Readable } from 'node:stream'
import { RegistryError } from '../errors/registry-error.ts'
import { PassThroughBody } from '../../waiting/pass-through-body.ts'

/** A blob's bytes from the offset on, as the registry sends them. */
export type OpenAt = (offset: number) => Promise<Readable>

/** In a row with next to nothing: then the way to the registry is not flaky, it is gone. */
const MAX_FRUITLESS = 3
/** For less, a large blob would take more requests than any registry should be asked. */
const WORTH_BYTES = 64 * 1024

/**
 * One stream over as many requests as it takes: where a body breaks, the next request continues.
 * Nothing is sent twice. What cannot be continued ends it with the error of the body that broke.
 *
 * @param first the body that is already open, from `offset` on
 */
export function continuedBlob(
  first: Readable,
  range: { readonly offset: number; readonly size: number },
  openAt: OpenAt,
): Readable {
  return new ContinuedBlob(first, range, openAt)
}

class ContinuedBlob extends PassThroughBody {
  readonly #size: number
  readonly #openAt: OpenAt
  #at: number
  #begunAt: number
  #fruitless = 0

  constructor(
    first: Readable,
    { offset, size }: { readonly offset: number; readonly size: number },
    openAt: OpenAt,
  ) {
    super()
    this.#at = offset
    this.#begunAt = offset
    this.#size = size
    this.#openAt = openAt
    this.relay(first)
  }

  protected override pass(piece: Buffer): Buffer {
    this.#at += piece.length
    return piece
  }

  protected override broken(cause: Error): void {
    this.#fruitless = this.#at - this.#begunAt >= WORTH_BYTES ? 0 : this.#fruitless + 1
    if (!isBroken(cause) || this.#fruitless >= MAX_FRUITLESS || this.#at >= this.#size) {
      this.destroy(cause)
      return
    }
    this.#begunAt = this.#at
    this.#openAt(this.#at).then(
      (rest) => {
        this.relay(rest)
      },
      (error: unknown) => this.destroy(error instanceof Error ? error : cause),
    )
  }
}

/** Whether it may go on where it broke. */
export function isBroken(error: unknown): boolean {
  return error instanceof RegistryError && error.disposition === 'transient'
}

/** Whether the server says when it may be asked again, and until then nobody is to ask it. */
export function isHeld(error: unknown): error is RegistryError {
  return error instanceof RegistryError && (error.retryAfterMs ?? 0) > 0
}
