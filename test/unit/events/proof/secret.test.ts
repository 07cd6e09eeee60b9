import { describe, expect, it } from 'vitest'
import { matchesSecret } from '../../../../src/events/proof/secret.ts'

describe('matchesSecret', () => {
  it.each([
    ['the only secret', ['moon'], ['moon'], true],
    ['the second of two secrets', ['moon'], ['sun', 'moon'], true],
    ['the second of two offers', ['sun', 'moon'], ['moon'], true],
    ['another text', ['mars'], ['sun', 'moon'], false],
    ['the beginning of a secret', ['moo'], ['moon'], false],
    ['a secret and more', ['moonlight'], ['moon'], false],
    ['no offer', [], ['moon'], false],
    ['any offer where there is no secret', ['moon'], [], false],
    ['an empty offer', [''], ['moon'], false],
    ['an empty offer where the secret is empty', [''], [''], false],
  ])('%s', (_, offered, secrets, matched) => {
    expect(matchesSecret(offered, secrets)).toBe(matched)
  })
})
