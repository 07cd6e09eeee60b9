import { type Readable, Transform } from 'node:stream'
import type { Pace } from './transfer-rate.ts'

/**
 * The same bytes, counted as they pass, and not faster than the pace allows: a body that waits is not
 * read. A failure of `body` is a failure of what is returned.
 */
export function meteredBody(
  body: Readable,
  pace: Pace,
  onBytes: (count: number) => void,
): Readable {
  let giveUp = (): void => undefined
  const metered = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      giveUp = pace.pass(chunk.length, () => {
        onBytes(chunk.length)
        done(null, chunk)
      })
    },
    destroy(error, done) {
      giveUp()
      body.destroy()
      done(error)
    },
  })
  body.once('error', (error) => metered.destroy(error))
  return body.pipe(metered)
}
