import { Readable } from 'node:stream'
import { RegistryError } from './errors.ts'

/** A blob's bytes from the offset on, as the registry sends them. */
export type OpenAt = (offset: number) => Promise<Readable>

/** In a row without a single byte: then the way to the registry is not flaky, it is gone. */
const MAX_FRUITLESS = 3

/**
 * One stream over as many requests as it takes: where a body breaks, the next request continues.
 * Nothing is sent twice. What cannot be continued ends it with the error of the body that broke.
 *
 * @param first the body that is already open, from `offset` on
 */
export function continuedBlob(
  first: Readable,
  { offset, size }: { readonly offset: number; readonly size: number },
  openAt: OpenAt,
): Readable {
  return Readable.from(continuing(first, offset, size, openAt), {
    objectMode: false,
    highWaterMark: 256 * 1024,
  })
}

async function* continuing(first: Readable, offset: number, size: number, openAt: OpenAt) {
  let body = first
  let at = offset
  for (let fruitless = 0; ;) {
    const begunAt = at
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        at += chunk.length
        yield chunk
      }
      return
    } catch (error) {
      fruitless = at > begunAt ? 0 : fruitless + 1
      if (!isBroken(error) || fruitless >= MAX_FRUITLESS || at >= size) throw error
    }
    body = await openAt(at)
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof RegistryError && error.disposition === 'transient'
}
