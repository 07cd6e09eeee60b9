import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate as inflateZlib, type ZlibOptions } from 'node:zlib'
import type { BodyInFlight } from './bodies-in-flight.ts'
import { MAX_BODY_BYTES, NO_ROOM, TOO_LARGE } from './body.ts'
import { refusal, type Reply } from './reply.ts'

type Inflate = (body: Buffer, options: ZlibOptions) => Promise<Buffer>

// RFC 9110 §8.4.1; `deflate` is the zlib format there.
const ENCODINGS: ReadonlyMap<string, Inflate> = new Map<string, Inflate>([
  ['gzip', promisify(gunzip)],
  ['x-gzip', promisify(gunzip)],
  ['deflate', promisify(inflateZlib)],
  ['br', promisify(brotliDecompress)],
])

// A thousand events in one delivery are packed to about a fortieth.
const MAX_RATIO = 100
// Below this nobody has to count.
const ALWAYS_TAKEN_BYTES = 64 * 1024

/** The body without its content encoding; a reply when it has none that is known, or becomes too large. */
export async function inflated(
  body: Buffer,
  encoding: string | undefined,
  place: BodyInFlight,
): Promise<Buffer | Reply> {
  const name = encoding?.trim().toLowerCase() ?? ''
  if (name === '' || name === 'identity') return body
  const inflate = ENCODINGS.get(name)
  if (inflate === undefined) {
    return refusal(415, 'the content encoding is not supported: send plain, gzip, deflate or br')
  }
  const maxOutputLength = mostOf(body.length)
  if (!place.take(maxOutputLength)) return NO_ROOM
  try {
    return await inflate(body, { maxOutputLength })
  } catch (error) {
    if (codeOf(error) !== 'ERR_BUFFER_TOO_LARGE') return refusal(400, 'the body does not inflate')
    return maxOutputLength === MAX_BODY_BYTES ? TOO_LARGE : refusal(413, TOO_DENSE)
  }
}

const TOO_DENSE = `the body inflates to more than ${MAX_RATIO} times its size`

function mostOf(length: number): number {
  return Math.min(MAX_BODY_BYTES, Math.max(ALWAYS_TAKEN_BYTES, length * MAX_RATIO))
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
