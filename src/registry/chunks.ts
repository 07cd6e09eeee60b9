import type { Readable } from 'node:stream'

/**
 * A stream's bytes in buffers of exactly `size`, the last one shorter. The next one is read while
 * the caller works on the one before, never more than that.
 */
export async function* chunksOf(body: Readable, size: number): AsyncGenerator<Buffer> {
  const reading = buffersOf(body, size)
  let next = ahead(reading)
  for (;;) {
    const { value, done } = await next.result
    if (done === true) return
    next = ahead(reading)
    yield value
  }
}

/** Begins to read; a failure waits until it is asked for. */
function ahead(reading: AsyncGenerator<Buffer, undefined>) {
  const result = reading.next()
  result.catch(() => undefined)
  return { result }
}

async function* buffersOf(body: Readable, size: number): AsyncGenerator<Buffer, undefined> {
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let rest = chunk
    while (length + rest.length >= size) {
      const head = rest.subarray(0, size - length)
      rest = rest.subarray(head.length)
      yield Buffer.concat([...parts, head], size)
      parts = []
      length = 0
    }
    if (rest.length > 0) parts.push(rest)
    length += rest.length
  }
  if (length > 0) yield Buffer.concat(parts, length)
  return undefined
}
