import { beforeEach, describe, expect, it } from 'vitest'
import { ReferrersApis } from '../../../../src/registry/words/referrers-apis.ts'
import { repository } from '../../../contract/contract-content.ts'

const AT_MOST = 4
const HOUR_MS = 3_600_000

describe('where a registry has the referrers API', () => {
  let now: number
  let apis: ReferrersApis

  beforeEach(() => {
    now = 0
    apis = new ReferrersApis(AT_MOST, () => now)
  })

  function noteUnknownPath(name: string): void {
    apis.noteUnknownPath(repository(name))
    apis.noteAbsent(repository(name))
  }

  it('is known of a repository for an hour', () => {
    apis.noteAbsent(repository('team/app'))

    expect(apis.lacks(repository('team/app'))).toBe(true)
    expect(apis.lacks(repository('team/other'))).toBe(false)
    now = HOUR_MS
    expect(apis.lacks(repository('team/app'))).toBe(false)
  })

  it('is remembered of so many repositories only, the latest', () => {
    const names = ['p0/app', 'p1/app', 'p2/app', 'p3/app', 'p4/app'].map(repository)
    for (const name of names) apis.noteAbsent(name)

    expect(names.map((name) => apis.lacks(name))).toEqual([false, true, true, true, true])
  })

  it('is judged of so many projects only, the latest', () => {
    for (const name of ['team/one', 'team/two', 'p1/app', 'p2/app', 'p3/app', 'p4/app'])
      noteUnknownPath(name)
    noteUnknownPath('team/three')

    expect(apis.lacks(repository('team/four'))).toBe(false)
  })

  it('is judged of a project by what was said lately', () => {
    for (const name of ['team/one', 'team/two', 'team/three']) {
      noteUnknownPath(name)
      now += HOUR_MS / 2
    }
    expect(apis.lacks(repository('team/four'))).toBe(false)

    for (const name of ['team/five', 'team/six', 'team/seven']) noteUnknownPath(name)
    expect(apis.lacks(repository('team/four'))).toBe(true)
  })

  it('is nothing to doubt once it has answered', () => {
    apis.noteAbsent(repository('team/app'))
    apis.noteAnswer()
    apis.noteAbsent(repository('team/other'))

    expect(apis.shown).toBe(true)
    expect(['team/app', 'team/other'].map((name) => apis.lacks(repository(name)))).toEqual([
      false,
      false,
    ])
  })
})
