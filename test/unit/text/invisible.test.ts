import { describe, expect, it } from 'vitest'
import { visibleJson } from '../../../src/text/invisible.ts'

describe('visibleJson', () => {
  it('means the same, without a character that cannot be seen', () => {
    const value = {
      text: 'größe \u202e\u2066\u200f\u{e0001}\u009b\u007f\u2028 日本',
      list: ['\u2063'],
    }

    const json = visibleJson(JSON.stringify(value))

    expect(JSON.parse(json)).toEqual(value)
    expect(json).not.toMatch(/[\p{Cf}\p{Zl}\u007f-\u009f]/u)
    expect(json).toContain('größe')
    expect(json).toContain('日本')
  })
})
