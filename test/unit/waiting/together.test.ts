import { describe, expect, it } from 'vitest'
import { Together } from '../../../src/waiting/together.ts'

describe('Together', () => {
  it('asks once for what is asked in the same moment, and gives each its own answer', async () => {
    const asked: (readonly number[])[] = []
    const doubled = new Together((numbers: readonly number[]) => {
      asked.push(numbers)
      return Promise.resolve(numbers.map((number) => 2 * number))
    })

    const first = await Promise.all([doubled.ask(1), doubled.ask(2), doubled.ask(3)])
    const later = await doubled.ask(4)

    expect([...first, later]).toEqual([2, 4, 6, 8])
    expect(asked).toEqual([[1, 2, 3], [4]])
  })

  it('asks for no more than some hundreds at once', async () => {
    const sizes: number[] = []
    const same = new Together((numbers: readonly number[]) => {
      sizes.push(numbers.length)
      return Promise.resolve(numbers)
    })
    const numbers = Array.from({ length: 450 }, (_, at) => at)

    expect(await Promise.all(numbers.map((number) => same.ask(number)))).toEqual(numbers)
    expect(sizes).toEqual([200, 200, 50])
  })

  it('tells all that went together of a failure, and goes on after it', async () => {
    let isAway = true
    const same = new Together((numbers: readonly number[]) =>
      isAway ? Promise.reject(new Error('away')) : Promise.resolve(numbers),
    )

    const failed = await Promise.allSettled([same.ask(1), same.ask(2)])
    isAway = false

    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await same.ask(3)).toBe(3)
  })
})
