import { describe, expect, it } from 'vitest'
import type { RegistryEvent } from '../../../src/events/registry-event.ts'
import type { Reference } from '../../../src/oci/reference.ts'
import { decide } from '../../../src/policy/decide.ts'
import type { Project } from '../../../src/policy/project.ts'
import {
  at,
  type Change,
  DIGEST,
  filter,
  HQ,
  LOCAL,
  miss,
  project,
  push,
  REPO,
  requestOf,
} from './told.ts'

describe('a miss', () => {
  it('becomes a request that holds all that a worker needs', () => {
    expect(decide(miss(), LOCAL, [project({ platforms: ['linux/arm64'] })])).toEqual({
      kind: 'replicate',
      request: {
        repository: 'team/app',
        upstreamRepository: 'team/app',
        reference: '1.0',
        upstreams: ['hq'],
        trigger: 'miss',
        onlyIfPresent: false,
        platforms: ['linux/arm64'],
        referrers: true,
        eventId: 'event-1',
      },
    })
  })

  it('says who told of it, which other requests need not', () => {
    const from = { ...LOCAL, source: 'edge' }

    expect(requestOf(decide(miss(), from, [project()])).source).toBe('edge')
    expect(requestOf(decide(push(), { ...HQ, source: 'edge' }, [project()]))).not.toHaveProperty(
      'source',
    )
  })

  it('is asked of all upstreams, in their order', () => {
    const decision = decide(miss(), LOCAL, [project({ upstreams: ['hq', 'lab', 'hub'] })])

    expect(requestOf(decision).upstreams).toEqual(['hq', 'lab', 'hub'])
  })

  it('is asked under the name that the project has upstream', () => {
    const projects = [project({ upstreamProject: 'platform' })]
    const event = miss({ repository: 'team/deep/app' })

    expect(requestOf(decide(event, LOCAL, projects))).toMatchObject({
      repository: 'team/deep/app',
      upstreamRepository: 'platform/deep/app',
    })
  })

  it('of a repository that is all project is asked under the other project alone', () => {
    const decision = decide(miss({ repository: 'team' }), LOCAL, [
      project({ upstreamProject: 'platform' }),
    ])

    expect(requestOf(decision).upstreamRepository).toBe('platform')
  })

  it('goes to the project of its name before `*`, whichever comes first', () => {
    const projects = [project({ name: '*', upstreams: ['hub'] }), project()]

    expect(requestOf(decide(miss(), LOCAL, projects)).upstreams).toEqual(['hq'])
    expect(
      requestOf(decide(miss({ repository: 'library/alpine' }), LOCAL, projects)),
    ).toMatchObject({ upstreams: ['hub'], upstreamRepository: 'library/alpine' })
  })

  it('of a digest passes whatever the tag filter says', () => {
    const projects = [project({ tags: { include: [], exclude: ['*'] } })]

    expect(decide(miss({ reference: DIGEST }), LOCAL, projects).kind).toBe('replicate')
  })

  it('of a signature passes whatever the tag filter says, unless referrers are not wanted', () => {
    const tags = { include: ['v*'], exclude: [] }
    const reference = `sha256-${'ab'.repeat(32)}.sig` as Reference

    expect(decide(miss({ reference }), LOCAL, [project({ tags })]).kind).toBe('replicate')
    expect(decide(miss({ reference }), LOCAL, [project({ tags, referrers: false })])).toMatchObject(
      {
        reason: 'tag-filtered',
      },
    )
  })

  it('of a signature tag is a miss like any other', () => {
    const reference = `sha256-${'ab'.repeat(32)}.sig` as Reference

    expect(requestOf(decide(miss({ reference }), LOCAL, [project()])).reference).toBe(reference)
  })

  it('counts as a local one also from a source that is said to be an upstream', () => {
    expect(requestOf(decide(miss(), HQ, [project()])).trigger).toBe('miss')
  })

  it.each<[string, Partial<Project>, Change, string]>([
    ['no project', { name: 'other' }, {}, 'unknown-project'],
    ['only the beginning of the name', { name: 'tea' }, {}, 'unknown-project'],
    ['auto-sync off', { autoSync: false }, {}, 'auto-sync-off'],
    ['an exclude', { repositories: filter([], ['**/scratch']) }, at('team/a/scratch'), REPO],
    [
      'an exclude at the top',
      { repositories: filter([], ['**/scratch']) },
      at('team/scratch'),
      REPO,
    ],
    ['an exclude by full name', { repositories: filter([], ['team/app']) }, {}, REPO],
    ['no include', { repositories: filter(['web/**']) }, {}, REPO],
    ['an include that is too shallow', { repositories: filter(['*']) }, at('team/a/b'), REPO],
    ['an excluded tag', { tags: filter([], ['*-rc*']) }, { reference: '1.0-rc.2' }, 'tag-filtered'],
    ['a tag not included', { tags: filter(['v*']) }, {}, 'tag-filtered'],
    ['its own user agent', {}, { userAgent: 'pullsync/0.1.0 (worker)' }, 'own-activity'],
    ['its own account', {}, { actor: 'pullsync' }, 'own-activity'],
    [
      'a name too long upstream',
      { upstreamProject: 'p'.repeat(100) },
      at(`team/${'a'.repeat(200)}`),
      'name-too-long',
    ],
  ])('is ignored for %s', (_, settings, change, reason) => {
    expect(decide(miss(change), LOCAL, [project(settings)])).toEqual({ kind: 'ignore', reason })
  })

  it.each<[string, Partial<Project>, Change]>([
    ['the part after the project', { repositories: filter(['app']) }, {}],
    ['the full name', { repositories: filter(['team/*']) }, {}],
    ['one of several patterns', { repositories: filter(['web', 'a*']) }, {}],
    ['`**` and a name without a second part', {}, at('team')],
    ['dots in tags', { tags: filter(['v?.*']) }, { reference: 'v1.2.3' }],
  ])('passes by %s', (_, settings, change) => {
    expect(decide(miss(change), LOCAL, [project(settings)]).kind).toBe('replicate')
  })

  it.each([undefined, ''])('of anybody is news when the account is %o', (account) => {
    const event: RegistryEvent = { ...miss(), ...(account !== undefined && { actor: account }) }

    expect(decide(event, { registry: 'local', account }, [project()]).kind).toBe('replicate')
  })
})
