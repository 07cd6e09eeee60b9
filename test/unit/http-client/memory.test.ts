import { describe, expect, it } from 'vitest'
import { sameBlocksBeside } from '../../../src/http-client/memory.ts'

describe('the memory of a connection', () => {
  it('is less where there are many', () => {
    const bytes = [0, 127, 128, 3_000].map((others) => sameBlocksBeside(others)().length / 1024)

    expect(bytes).toEqual([256, 256, 128, 128])
  })

  it('is the same again and again', () => {
    const next = sameBlocksBeside(200)
    const [first, second, third] = [next(), next(), next()]

    expect(third).toBe(first)
    expect(second).not.toBe(first)
  })
})
