import { describe, expect, it } from 'vitest'
import { decide } from '../../../src/policy/decide.ts'
import type { Project } from '../../../src/policy/project.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import { type Change, DIGEST, filter, HQ, project, push, REPO, requestOf } from './told.ts'

describe('a push on an upstream', () => {
  it('refreshes what is held locally, and says what the tag now is', () => {
    expect(requestOf(decide(push(), HQ, [project()]))).toMatchObject({
      ...{ repository: 'team/app', reference: '1.0', trigger: 'push' },
      ...{ onlyIfPresent: true, announcedDigest: DIGEST, eventId: 'event-1' },
    })
  })

  it('fetches what is not here yet where the project says `always`', () => {
    const decision = decide(push(), HQ, [project({ onUpstreamPush: 'always' })])

    expect(requestOf(decision).onlyIfPresent).toBe(false)
  })

  it('goes to the local project that has this project upstream', () => {
    const projects = [project({ name: 'edge' }), project({ upstreamProject: 'platform' })]
    const decision = decide(push({ repository: 'platform/deep/app' }), HQ, projects)

    expect(requestOf(decision)).toMatchObject({
      repository: 'team/deep/app',
      upstreamRepository: 'platform/deep/app',
    })
  })

  it('goes to a project that asks this upstream second', () => {
    const decision = decide(push(), HQ, [project({ upstreams: ['lab', 'hq'] })])

    expect(requestOf(decision).upstreams).toEqual(['lab', 'hq'])
  })

  it('keeps its name under `*`', () => {
    const decision = decide(push({ repository: 'any/app' }), HQ, [project({ name: '*' })])

    expect(requestOf(decision)).toMatchObject({
      repository: 'any/app',
      upstreamRepository: 'any/app',
    })
  })

  it.each<[string, readonly Partial<Project>[], Change, string]>([
    ['another upstream', [{ upstreams: ['lab'] }], {}, 'unknown-project'],
    ['another name upstream', [{ upstreamProject: 'platform' }], {}, 'unknown-project'],
    // The local name team belongs to a project that takes it from elsewhere.
    ['a taken name', [{ upstreams: ['lab'] }, { name: '*' }], {}, 'unknown-project'],
    ['a renamed one', [{ upstreamProject: 'x' }, { name: '*' }], {}, 'unknown-project'],
    ['auto-sync off', [{ autoSync: false }], {}, 'auto-sync-off'],
    ['`ignore`', [{ onUpstreamPush: 'ignore' }], {}, 'upstream-push-ignored'],
    ['no tag, without referrers', [{ referrers: false }], { tag: undefined }, 'nothing-named'],
    ['no tag, and no subject', [{}], { tag: undefined, subject: 'none' }, 'nothing-named'],
    [
      'no tag, and `ignore`',
      [{ onUpstreamPush: 'ignore' }],
      { tag: undefined },
      'upstream-push-ignored',
    ],
    ['a filtered tag', [{ tags: filter(['v*']) }], {}, 'tag-filtered'],
    ['a filtered repository', [{ repositories: filter(['web']) }], {}, REPO],
  ])('is ignored for %s', (_, settings, change, reason) => {
    const projects = settings.map((one) => project(one))

    expect(decide(push(change), HQ, projects)).toEqual({ kind: 'ignore', reason })
  })

  it('by digest may be of what refers to an image, and is looked at once a day', () => {
    const decision = decide(push({ tag: undefined }), HQ, [project({ upstreamProject: 'team' })])

    expect(decision).toMatchObject({
      request: { reference: DIGEST, trigger: 'revalidate', onlyIfPresent: true },
      unlessCheckedWithinMs: 86_400_000,
    })
    expect(requestOf(decision)).not.toHaveProperty('announcedDigest')
  })

  it('that says what it refers to asks for what refers to that, without a look', () => {
    const subject = `sha256:${'cd'.repeat(32)}` as Digest
    const decision = decide(push({ tag: undefined, subject }), HQ, [project()])

    expect(decision).not.toHaveProperty('unlessCheckedWithinMs')
    expect(requestOf(decision)).toMatchObject({
      ...{ reference: subject, trigger: 'push', onlyIfPresent: true },
    })
  })

  it('is news also when a pullsync made it, which fills that registry from one further up', () => {
    const made = push({ userAgent: 'pullsync/0.1.0', actor: 'robot$mirror' })

    expect(decide(made, HQ, [project({})]).kind).toBe('replicate')
  })

  it('is filtered by its local name', () => {
    const settings = { upstreamProject: 'platform', repositories: filter(['team/app']) }

    expect(decide(push({ repository: 'platform/app' }), HQ, [project(settings)]).kind).toBe(
      'replicate',
    )
  })
})
