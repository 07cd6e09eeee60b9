import type { IncomingMessage, ServerResponse } from 'node:http'
import { endToEnd, type RawHeaders, withHeader } from './forwarded-headers.ts'

/** The registry's own answer to a miss, kept until it is clear that there is nothing better. */
export interface OriginalAnswer {
  readonly status: number
  readonly headers: RawHeaders
  readonly body: Buffer
}

// distribution's 404 has some hundred bytes. What is longer is no error body, and cut.
const MAX_BODY_BYTES = 64 * 1024

type AnswerToKeep = Pick<IncomingMessage, 'statusCode' | 'rawHeaders'> & AsyncIterable<Buffer>

export async function keepAnswer(answer: AnswerToKeep): Promise<OriginalAnswer> {
  const chunks: Buffer[] = []
  let left = MAX_BODY_BYTES
  for await (const chunk of answer) {
    chunks.push(chunk.subarray(0, left))
    left -= chunk.length
    if (left < 0) break
  }
  const { statusCode = 404, rawHeaders } = answer
  const headers = endToEnd(rawHeaders)
  const body = Buffer.concat(chunks)
  // Or the client would wait for the rest, and take the next answer for it.
  const cut = left < 0 ? withHeader(headers, 'Content-Length', `${body.length}`) : headers
  return { status: statusCode, headers: cut, body }
}

export function sendAnswer(
  response: ServerResponse,
  { status, headers, body }: OriginalAnswer,
): void {
  response.sendDate = false
  response.writeHead(status, [...headers])
  response.end(body)
}
