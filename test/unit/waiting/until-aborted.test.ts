import { describe, expect, it } from 'vitest'
import { untilAborted } from '../../../src/waiting/until-aborted.ts'

describe('untilAborted', () => {
  it('resolves at once when the signal is aborted already', async () => {
    await expect(untilAborted(AbortSignal.abort())).resolves.toBeUndefined()
  })

  it('resolves when the signal is aborted, and not before', async () => {
    const controller = new AbortController()
    let resolved = false
    const waiting = untilAborted(controller.signal).then(() => {
      resolved = true
    })
    await Promise.resolve()
    const before = resolved

    controller.abort()
    await waiting

    expect(before).toBe(false)
  })
})
