import { describe, expect, it } from 'vitest'
import { missingScopes } from '../../../../src/registry/words/scopes.ts'

describe('missingScopes', () => {
  it.each([
    ['the same', ['repository:a:pull'], ['repository:a:pull'], []],
    ['less', ['repository:a:pull,push'], ['repository:a:pull'], []],
    ['the same in another order', ['repository:a:pull,push'], ['repository:a:push,pull'], []],
    ['more', ['repository:a:pull'], ['repository:a:pull,push'], ['repository:a:pull,push']],
    ['another', ['repository:a:pull'], ['repository:b:pull'], ['repository:b:pull']],
    ['one with a port in it', ['repository:h:5000/a:pull'], ['repository:h:5000/a:pull'], []],
    ['something that is no repository', [], ['registry:catalog:*'], ['registry:catalog:*']],
  ])('asked for %s', (_, wanted, challenged, missing) => {
    expect(missingScopes(wanted, challenged)).toEqual(missing)
  })
})
