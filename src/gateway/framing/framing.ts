import { type RawHeaders, valuesOf } from './forwarded-headers.ts'

/** How the end of a message's body is told, RFC 9112, section 6. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  /** Its end is told by what comes last, not by the head. */
  | { readonly kind: 'open' }

export const NO_BODY: Framing = { kind: 'none' }
const OPEN: Framing = { kind: 'open' }

/**
 * Of the body that a head announces. Undefined where the head can be understood in two ways, or says that the body
 * is coded for this connection in a way that is not undone here.
 */
export function readFraming(raw: RawHeaders): Framing | undefined {
  const codings = valuesOf(raw, 'transfer-encoding')
  const lengths = valuesOf(raw, 'content-length')
  if (codings.length + lengths.length > 1) return undefined
  const [coding] = codings
  const [length] = lengths
  if (coding !== undefined) return coding.trim().toLowerCase() === 'chunked' ? OPEN : undefined
  if (length === undefined) return NO_BODY
  return /^\d{1,15}$/.test(length) ? { kind: 'length', bytes: Number(length) } : undefined
}

/** What of a body came is not what its head had announced. */
export class FramingError extends Error {
  override readonly name = 'FramingError'
}

/**
 * The body, as long as the head that was written for it says. Whoever writes the bytes can rely on that: it throws
 * before the first byte too many, and at an end that comes too early.
 */
export async function* framed(
  body: AsyncIterable<Buffer>,
  framing: Framing,
): AsyncGenerator<Buffer> {
  let left = announced(framing)
  for await (const piece of body) {
    left -= piece.length
    if (left < 0) throw new FramingError('there is more of the body than its head announced')
    yield piece
  }
  if (left > 0 && left !== Infinity) {
    throw new FramingError('there is less of the body than its head announced')
  }
}

function announced(framing: Framing): number {
  if (framing.kind === 'length') return framing.bytes
  return framing.kind === 'none' ? 0 : Infinity
}
