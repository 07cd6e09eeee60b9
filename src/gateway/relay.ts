import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { endToEnd } from './forwarded-headers.ts'

/** Sends the registry's answer on to the client, as it is. */
export async function relay(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  const { statusCode = 502, statusMessage, rawHeaders } = answer
  response.sendDate = false
  try {
    response.writeHead(statusCode, statusMessage, endToEnd(rawHeaders))
  } catch (error) {
    // Node reads what it does not write, and nobody would read the rest.
    answer.destroy()
    throw error
  }
  try {
    await pipeline(answer, response)
  } catch {
    // One of the two went away. Both are destroyed by now, which tells the other one.
  }
}
