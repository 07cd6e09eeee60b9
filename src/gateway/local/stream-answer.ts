import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { answerHead } from '../framing/answer-head.ts'
import { framed, type Framing } from '../framing/framing.ts'

/**
 * Sends the registry's answer on to the client, as it is.
 *
 * @throws FramingError for what must not be passed on
 */
export async function streamAnswer(
  answer: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let framing: Framing
  try {
    framing = sendHead(answer, response)
  } catch (error) {
    // Node reads what it does not write, and nobody would read the rest.
    answer.destroy()
    throw error
  }
  try {
    await pipeline(answer, (body) => framed(body, framing), response)
  } catch {
    // One of the two went away. Both are destroyed by now, which tells the other one.
  }
}

function sendHead(
  { statusCode: status = 502, statusMessage, rawHeaders }: IncomingMessage,
  response: ServerResponse,
): Framing {
  const { headers, framing } = answerHead({ status, rawHeaders }, response.req.method)
  response.sendDate = false
  response.writeHead(status, statusMessage, [...headers])
  return framing
}
