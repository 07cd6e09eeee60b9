import { describe, expect, it } from 'vitest'
import { notYetActedOn } from '../../../src/config/not-yet.ts'
import { configOf, yamlWith } from './parsed-yaml.ts'

describe('notYetActedOn', () => {
  it('is silent about what the file leaves to the defaults', () => {
    expect(notYetActedOn(configOf(yamlWith({})))).toEqual([])
  })

  it.each([
    ['onUpstreamDelete: delete', 'onUpstreamDelete'],
  ])('names %s', (line, key) => {
    const config = configOf(
      yamlWith({
        projects: `projects: [{name: a, upstream: hq}, {name: b, upstream: hq, ${line}}]`,
      }),
    )

    expect(notYetActedOn(config)).toEqual([
      expect.stringContaining(`projects[1].${key} has no effect in this version: `),
    ])
  })

  it.each(['platforms: [linux/amd64]', 'referrers: false', 'onUpstreamDelete: keep'])(
    'is silent about %s, which is what happens',
    (line) => {
      const config = configOf(
        yamlWith({ projects: `projects: [{name: a, upstream: hq, ${line}}]` }),
      )

      expect(notYetActedOn(config)).toEqual([])
    },
  )
})
