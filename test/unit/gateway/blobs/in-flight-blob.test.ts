import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { inFlightBlob } from '../../../../src/gateway/blobs/in-flight-blob.ts'

it('does not ask a place without a pause that says again and again that there is no more', async () => {
  let opened = 0
  const left = new AbortController()
  const bytes = inFlightBlob(
    { start: 0, length: 10, size: 10, partial: false },
    {
      part: () => Promise.resolve({ kind: 'blob', upstream: 'hq', size: 10 }),
      spool: () => {
        opened += 1
        return Promise.resolve(Readable.from([]))
      },
      landed: () => Promise.resolve(undefined),
      come: () => Promise.resolve(undefined),
      signal: left.signal,
    },
  )

  const first = bytes.next()
  first.catch(() => undefined)
  for (let turns = 0; turns < 200; turns += 1) await turn()

  expect(opened).toBe(1)
  left.abort()
  await expect(first).rejects.toThrow()
})
