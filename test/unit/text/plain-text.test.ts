import { describe, expect, it } from 'vitest'
import { indented, plainText } from '../../../src/text/plain-text.ts'

describe('plainText', () => {
  it('takes away what could move the cursor, recolour or hide text', () => {
    expect(plainText('no\u001b[2Jsuch\u0007 tag\u009b31m')).toBe('no [2Jsuch  tag 31m')
  })

  it('shows what is there to be overlooked', () => {
    expect(plainText('a\u202eb\u2069c\u200bd\ufeffe\u{e0041}f\u2028g\u00adh')).toBe(
      'a\\u202eb\\u2069c\\u200bd\\ufeffe\\udb40\\udc41f\\u2028g\\u00adh',
    )
  })

  it('keeps line breaks and every letter', () => {
    expect(plainText('größe\r\nzwei')).toBe('größe\nzwei')
  })
})

describe('indented', () => {
  it('never cuts a text that is not for a terminal', () => {
    const reason = 'word '.repeat(200).trim()

    expect(indented(reason, '    ', Infinity)).toBe(`    ${reason}`)
  })

  it('wraps at words for a terminal', () => {
    const lines = indented('push of the manifest to the local registry failed', '  ', 22).split(
      '\n',
    )

    expect(lines).toEqual(['  push of the manifest', '  to the local', '  registry failed'])
  })

  it('indents every line of a text', () => {
    expect(indented('one\ntwo\n', '  ', Infinity)).toBe('  one\n  two')
  })

  it('does not break a word that is longer than the line', () => {
    const digest = `sha256:${'a'.repeat(64)}`

    expect(indented(`of ${digest} failed`, '', 40)).toContain(digest)
  })
})
