import type { Readable } from 'node:stream'

/** In bytes; `until` is the first one that does not belong to it. */
export interface ByteRange {
  readonly from: number
  readonly until: number
}

/** A blob's bytes from somewhere on. */
export interface BlobPart {
  readonly body: Readable
  /** Exactly those that were asked for; else all that come after the first of them. */
  readonly isPart: boolean
}

/** Until it is cut. */
export type OpenPart = (range: ByteRange, cut: AbortSignal) => Promise<BlobPart>

/** A slot for one more connection, as long as there is one to spare. Gives back how to let go of it. */
export type ExtraSlot = () => (() => void) | undefined
