import type { IncomingMessage } from 'node:http'
import type { BodyInFlight } from './bodies-in-flight.ts'
import { comeAgain, refusal, type Reply } from './reply.ts'

/** Before and after inflation. distribution's events have a few kB; zot's hold a whole manifest of up to 4 MB. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024

// What holding a piece costs beside its bytes: somebody may send them one by one.
const PIECE_BYTES = 256

export const TOO_LARGE: Reply = refusal(413, `the body is larger than ${MAX_BODY_BYTES} bytes`)
export const NO_ROOM: Reply = comeAgain('too many deliveries are under way', {
  Connection: 'close',
})
const ENDED_EARLY: Reply = refusal(400, 'the body ended early')

/**
 * The bytes of the request's body as they come, still encoded; a reply when they cannot be had. Express's
 * parsers would skip the registries' own media types, and inflate before anything is proven.
 */
export async function readBody(
  request: IncomingMessage,
  place: BodyInFlight,
): Promise<Buffer | Reply> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return TOO_LARGE
  const chunks: Buffer[] = []
  let length = 0
  let isDecided = false
  const trouble = await new Promise<Reply | undefined>((resolve) => {
    place.onEnd = () => {
      resolve(NO_ROOM)
    }
    request.on('data', (chunk: Buffer) => {
      // What still comes is thrown away until the answer has ended the connection.
      if (isDecided) return
      length += chunk.length
      if (length > MAX_BODY_BYTES) resolve(TOO_LARGE)
      else if (place.take(chunk.length + PIECE_BYTES)) chunks.push(chunk)
      else resolve(NO_ROOM)
    })
    request.once('end', resolve)
    request.once('error', () => {
      resolve(ENDED_EARLY)
    })
    request.once('close', () => {
      resolve(ENDED_EARLY)
    })
  })
  isDecided = true
  if (trouble === undefined) return Buffer.concat(chunks, length)
  chunks.length = 0
  return trouble
}
