import { type Readable, Transform } from 'node:stream'

/** The same bytes, counted as they pass. A failure of `body` is a failure of what is returned. */
export function meteredBody(body: Readable, onBytes: (count: number) => void): Readable {
  const metered = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      onBytes(chunk.length)
      done(null, chunk)
    },
    destroy(error, done) {
      body.destroy()
      done(error)
    },
  })
  body.once('error', (error) => metered.destroy(error))
  return body.pipe(metered)
}
