import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerHead } from '../framing/answer-head.ts'
import { type RawHeaders, withoutHeaders } from '../framing/forwarded-headers.ts'

/** The registry's own answer to a miss, kept until it is clear that there is nothing better. */
export interface OriginalAnswer {
  readonly status: number
  readonly rawHeaders: RawHeaders
  readonly body: Buffer
  /** There was more of the body. */
  readonly isCut?: boolean
}

// distribution's 404 has some hundred bytes. What is longer is no error body, and cut.
const MAX_BODY_BYTES = 64 * 1024

type AnswerToKeep = Pick<IncomingMessage, 'statusCode' | 'rawHeaders'> & AsyncIterable<Buffer>

/** @param maxBytes of its body; what is longer is cut */
export async function keepAnswer(
  answer: AnswerToKeep,
  maxBytes = MAX_BODY_BYTES,
): Promise<OriginalAnswer> {
  const chunks: Buffer[] = []
  let left = maxBytes
  for await (const chunk of answer) {
    chunks.push(chunk.subarray(0, left))
    left -= chunk.length
    if (left < 0) break
  }
  const { statusCode = 404, rawHeaders } = answer
  return { status: statusCode, rawHeaders, body: Buffer.concat(chunks), isCut: left < 0 }
}

/** @throws FramingError for what must not be passed on */
export function sendAnswer(
  response: ServerResponse,
  { status, rawHeaders, body }: OriginalAnswer,
): void {
  const { headers, framing } = answerHead({ status, rawHeaders }, response.req.method)
  // Of what was kept, so that a client never waits for what was cut off.
  const length = framing.kind === 'none' ? [] : ['Content-Length', `${body.length}`]
  const own = length.length > 0 ? withoutHeaders(headers, ['Content-Length']) : headers
  response.sendDate = false
  response.writeHead(status, [...own, ...length])
  response.end(body)
}
