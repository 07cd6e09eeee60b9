import { expect, it } from 'vitest'
import { linkAfter, mergeTags } from '../../../src/gateway/tags/tag-page.ts'

const ALL = { names: ['b', 'd'], more: false }

it.each([
  ['all of both', ALL, ['a', 'b', 'e'], {}, ['a', 'b', 'd', 'e'], false],
  ['as many as are wanted', ALL, ['a', 'c'], { n: 2 }, ['a', 'b'], true],
  ['those behind the last', ALL, ['a', 'c'], { n: 2, last: 'b' }, ['c', 'd'], false],
  ['none, and none behind these', ALL, ['a'], { n: 0 }, [], false],
  [
    'none that the next local page comes before',
    { names: ['b', 'd'], more: true },
    ['a', 'e'],
    {},
    ['a', 'b', 'd'],
    true,
  ],
  ['upstream alone', { names: [], more: false }, ['a', 'b'], {}, ['a', 'b'], false],
  ['capitals first, as bytes are', ALL, ['Z'], {}, ['Z', 'b', 'd'], false],
])('a page of two lists has %s', (...[, local, upstream, wish, names, more]) => {
  expect(mergeTags(local, upstream, wish)).toEqual({ names, more })
})

it('a link leads to what follows, with as many', () => {
  const page = { names: ['a', 'b_1'], more: true }

  expect(linkAfter(page, '/v2/team/app/tags/list', { n: 2 })).toBe(
    '</v2/team/app/tags/list?last=b_1&n=2>; rel="next"',
  )
})

it('a page of many thousand names looks at no more of them than it has', () => {
  const counted = counting(Array.from({ length: 50_000 }, (_, i) => `v${100_000 + i}`))
  const local = { names: ['v125000', 'v125003x'], more: true }

  const page = mergeTags(local, counted.names, { n: 5, last: 'v124999' })

  expect(page.names).toEqual(['v125000', 'v125001', 'v125002', 'v125003', 'v125003x'])
  expect(page.more).toBe(true)
  expect(counted.looks()).toBeLessThan(100)
})

/** Counts how many of the names were looked at. */
function counting(all: readonly string[]) {
  let looks = 0
  const names = new Proxy(all, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks += 1
      return Reflect.get(target, key) as unknown
    },
  })
  return { names, looks: () => looks }
}
