import { describe, expect, it } from 'vitest'
import { parseCron } from '../../../../src/config/schema/cron.ts'

describe('parseCron', () => {
  it.each([
    ['0 3 * * *'],
    ['*/15 0-6 1,15 * 1-5'],
    ['0 0 * jan-Mar,12 SUN'],
    ['5-55/10 23 31 12 7'],
  ])('takes %s', (text) => {
    expect(parseCron(text)).toEqual({ ok: true, value: text })
  })

  it('takes any space between the fields', () => {
    expect(parseCron(' 0  3 * *\t* ')).toEqual({ ok: true, value: '0 3 * * *' })
  })

  it.each([
    ['', 'five fields'],
    ['@daily', 'five fields'],
    ['0 0 3 * * *', 'five fields'],
    ['60 3 * * *', '"minute"'],
    ['0 24 * * *', '"hour"'],
    ['0 3 0 * *', '"day of month"'],
    ['0 3 * 13 *', '"month"'],
    ['0 3 * foo *', '"month"'],
    ['0 3 * * 8', '"day of week"'],
    ['*/0 3 * * *', '"minute"'],
    ['*/99 3 * * *', '"minute"'],
    ['5-1 3 * * *', '"minute"'],
    ['1-2-3 3 * * *', '"minute"'],
    ['1,, 3 * * *', '"minute"'],
    ['-1 3 * * *', '"minute"'],
    ['1-foo 3 * * *', '"minute"'],
    ['1/ 3 * * *', '"minute"'],
    ['? 3 L * *', '"minute"'],
  ])('refuses %j, and names the field', (text, expected) => {
    const result = parseCron(text)

    expect(result.ok ? '' : result.reason).toContain(expected)
  })
})
