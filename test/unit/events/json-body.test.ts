import { describe, expect, it } from 'vitest'
import { objectAt, parseJsonObject, textAt, valueAt } from '../../../src/events/json-body.ts'

describe('what is read out of JSON', () => {
  it('is never what an object inherits', () => {
    expect(valueAt({}, 'constructor')).toBeUndefined()
    expect(objectAt({}, '__proto__')).toEqual({})
    const content = parseJsonObject(Buffer.from('{"__proto__":{"a":"b"}}'))
    expect(content.ok && textAt(content.value, 'a')).toBeUndefined()
  })

  it.each([[null], [''], [7], [['a']], [{}]])('is no text when it is %o', (value) => {
    expect(textAt({ a: value }, 'a')).toBeUndefined()
  })

  it.each([[null], ['a'], [[]], [7]])('is an empty object when it is %o', (value) => {
    expect(objectAt({ a: value }, 'a')).toEqual({})
  })
})
