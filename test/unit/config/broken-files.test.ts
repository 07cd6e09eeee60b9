import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { problemsOf, PARTS, yamlWith } from './parsed-yaml.ts'

const EXAMPLE = readFileSync('deploy/pullsync.example.yaml', 'utf8')

describe('whatever the file is', () => {
  it('the answer is problems, each within the file, never an exception', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      damaged(EXAMPLE),
      damaged(yamlWith({})),
    )

    fc.assert(
      fc.property(anyText, (text) => {
        const lines = text.split('\n').length
        for (const { line = 1, column = 1, message } of problemsOf(text)) {
          expect(line).toBeGreaterThanOrEqual(1)
          expect(line).toBeLessThanOrEqual(lines)
          expect(column).toBeGreaterThanOrEqual(1)
          expect(message).not.toBe('')
        }
      }),
      { numRuns: 200 },
    )
  })

  it.each(Object.keys(PARTS))('any value at all may stand at %s', (key) => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        problemsOf(yamlWith({ [key]: `${key}: ${JSON.stringify(value)}` }))
      }),
    )
  })
})

/** The text with a piece cut out, and another put in. */
function damaged(text: string): fc.Arbitrary<string> {
  const inserted = fc.oneof(
    fc.string({ maxLength: 5 }),
    fc.constantFrom(
      '{',
      '[',
      '"',
      '\n',
      '\t',
      ': ',
      '- ',
      '&a ',
      '*a',
      '!x ',
      '${',
      '<<: ',
      '---\n',
      '|\n',
    ),
  )
  return fc
    .tuple(fc.nat(text.length), fc.nat(20), inserted)
    .map(([at, length, piece]) => text.slice(0, at) + piece + text.slice(at + length))
}
