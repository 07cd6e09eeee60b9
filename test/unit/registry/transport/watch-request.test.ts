import { expect, it } from 'vitest'
import { watchRequest } from '../../../../src/registry/transport/stall.ts'

it('says how long it waited for an answer that comes byte by byte, where that was longer than for others', async () => {
  let bytes = 0
  const watched = { moved: () => (bytes += 1), sent: () => true, waits: () => false }
  const limits = { stallMs: 20, responseMs: 300, totalMs: 100 }

  const error = await new Promise<Error>((resolve) => {
    watchRequest(watched, limits, resolve)
  })

  expect(error.message).toBe('no whole answer came within 0.3 s')
})
