import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RegistryEvent } from '../../../src/events/registry-event.ts'
import {
  parseReference,
  type Reference,
  type Repository,
  type Tag,
} from '../../../src/oci/reference.ts'
import { decide, decideManual } from '../../../src/policy/decide.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import type { Project } from '../../../src/policy/project.ts'
import type { Digest } from '../../../src/oci/digest.ts'

const DIGEST = `sha256:${'ab'.repeat(32)}` as Digest
const REPO = 'repository-filtered'
const LOCAL = { registry: 'local', account: 'pullsync' }
const HQ = { registry: 'hq', account: 'robot$mirror' }

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

describe('other events', () => {
  it.each([
    ['a local push', push(), LOCAL, 'local-push'],
    [
      'a local pull by digest',
      { ...push({ tag: undefined }), action: 'pull' as const },
      LOCAL,
      'pull',
    ],
    ['an upstream pull', { ...push(), action: 'pull' as const }, HQ, 'pull'],
    ['a local delete', { ...push(), action: 'delete' as const }, LOCAL, 'delete'],
    ['an upstream delete', { ...push(), action: 'delete' as const }, HQ, 'delete'],
  ])('%s is ignored', (_, event, origin, reason) => {
    expect(decide(event, origin, [project()])).toEqual({ kind: 'ignore', reason })
  })
})

describe('an upstream delete', () => {
  const deletes = { onUpstreamDelete: 'delete' } as const
  const event = { ...push(), action: 'delete' as const }

  it('becomes a request to remove the tag, where the project says so', () => {
    expect(requestOf(decide(event, HQ, [project(deletes)]))).toMatchObject({
      ...{ trigger: 'delete', repository: 'team/app', reference: '1.0', onlyIfPresent: true },
    })
  })

  it('by digest asks to remove what has that digest', () => {
    const byDigest = { ...push({ tag: undefined }), digest: DIGEST, action: 'delete' as const }

    expect(requestOf(decide(byDigest, HQ, [project(deletes)]))).toMatchObject({
      ...{ reference: DIGEST, trigger: 'delete', onlyIfPresent: true },
    })
  })

  it('of a tag with its digest may be that of all tags of the digest', () => {
    const wanted = requestOf(decide({ ...event, cause: 'c' }, HQ, [project(deletes)]))

    expect(wanted).toMatchObject({ reference: '1.0', announcedDigest: DIGEST })
    expect(wanted).not.toHaveProperty('cause')
  })

  it('of the local registry removes nothing and fetches nothing back', () => {
    expect(decide(event, LOCAL, [project(deletes)])).toEqual({ kind: 'ignore', reason: 'delete' })
  })
})

describe('decideManual', () => {
  const image = {
    repository: 'team/app' as Repository,
    reference: '1.0' as Reference,
    eventId: 'sync-1',
  }

  it('asks for the image although the project does not sync by itself', () => {
    expect(requestOf(decideManual(image, [project({ autoSync: false })]))).toMatchObject({
      ...{ repository: 'team/app', reference: '1.0', trigger: 'manual' },
      ...{ onlyIfPresent: false, eventId: 'sync-1' },
    })
  })

  it.each<[string, Partial<Project>, string]>([
    ['an unknown project', { name: 'other' }, 'unknown-project'],
    ['a filtered repository', { repositories: filter(['web']) }, 'repository-filtered'],
    ['a filtered tag', { tags: filter(['v*']) }, 'tag-filtered'],
  ])('ignores %s', (_, settings, reason) => {
    expect(decideManual(image, [project(settings)])).toEqual({ kind: 'ignore', reason })
  })
})

describe('names', () => {
  it('that go upstream come back the same', () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,12}$/)
    const names = fc.array(component, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(names, fc.option(component, { nil: undefined }), (parts, upstreamProject) => {
        const repository = parts.join('/')
        const one = project({
          name: parts[0] ?? '',
          ...(upstreamProject !== undefined && { upstreamProject }),
        })
        const there = requestOf(decide(miss({ repository }), LOCAL, [one])).upstreamRepository
        const back = requestOf(decide(push({ repository: there }), HQ, [one])).repository
        expect(back).toBe(repository)
      }),
    )
  })
})

interface Change {
  readonly repository?: string
  readonly reference?: string
  readonly tag?: Tag | undefined
  readonly subject?: Digest | 'none'
  readonly actor?: string
  readonly userAgent?: string
}

function miss({ repository = 'team/app', reference = '1.0', ...told }: Change = {}): RegistryEvent {
  const asked = parseReference(reference)
  if (!asked.ok) throw new Error(asked.reason)
  return {
    action: 'miss',
    id: 'event-1',
    repository: repository as Repository,
    reference: asked.value,
    ...toldBy(told),
  }
}

function push({ repository = 'team/app', ...change }: Change = {}): RegistryEvent {
  const tag = 'tag' in change ? change.tag : ('1.0' as Tag)
  return {
    action: 'push',
    id: 'event-1',
    repository: repository as Repository,
    digest: DIGEST,
    ...(tag !== undefined && { tag }),
    ...(change.subject !== undefined && { subject: change.subject }),
    ...toldBy(change),
  }
}

function toldBy({ actor, userAgent }: Change) {
  return { ...(actor !== undefined && { actor }), ...(userAgent !== undefined && { userAgent }) }
}

function at(repository: string): Change {
  return { repository }
}

function filter(include: readonly string[], exclude: readonly string[] = []) {
  return { include: include.length === 0 ? ['**'] : include, exclude }
}

function project(changes: Partial<Project> = {}): Project {
  return {
    name: 'team',
    upstreams: ['hq'],
    autoSync: true,
    repositories: { include: ['**'], exclude: [] },
    tags: { include: ['*'], exclude: [] },
    platforms: 'all',
    referrers: true,
    revalidateAfterMs: 600_000,
    onUpstreamPush: 'refresh',
    onUpstreamDelete: 'keep',
    ...changes,
  }
}

function requestOf(decision: Decision) {
  if (decision.kind === 'ignore') throw new Error(`ignored: ${decision.reason}`)
  return decision.request
}
