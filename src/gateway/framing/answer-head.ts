import { endToEnd, type RawHeaders } from './forwarded-headers.ts'
import { type Framing, FramingError, NO_BODY, readFraming } from './framing.ts'

export interface AnswerHead {
  /** Name, value, name, value …; the length among them, where there is one. */
  readonly headers: readonly string[]
  /** Of what follows the head. */
  readonly framing: Framing
}

/**
 * What a client is sent before the body of an answer to its request.
 *
 * @throws FramingError for what must not be passed on, because it can be understood in two ways
 */
export function answerHead(
  { status, rawHeaders }: { readonly status: number; readonly rawHeaders: RawHeaders },
  method = 'GET',
): AnswerHead {
  const told = readFraming(rawHeaders)
  if (told === undefined) {
    throw new FramingError('the head of the answer does not tell clearly where its body ends')
  }
  const headers = endToEnd(rawHeaders)
  // RFC 9110, section 8.6: a length would be a mistake there.
  if (status === 204) return { headers, framing: NO_BODY }
  const withLength =
    told.kind === 'length' ? [...headers, 'Content-Length', `${told.bytes}`] : headers
  // RFC 9112, section 6.3: there the length is that of a body which is not sent.
  if (status === 304 || method === 'HEAD') return { headers: withLength, framing: NO_BODY }
  // Without a length, the body lasts until the connection ends.
  return { headers: withLength, framing: told.kind === 'none' ? { kind: 'open' } : told }
}
