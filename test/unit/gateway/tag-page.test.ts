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
  ['upstream alone', { names: [], more: false }, ['b', 'a'], {}, ['a', 'b'], false],
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
