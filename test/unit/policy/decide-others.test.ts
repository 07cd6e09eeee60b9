import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reference, Repository } from '../../../src/oci/reference.ts'
import { decide, decideManual } from '../../../src/policy/decide.ts'
import type { Project } from '../../../src/policy/project.ts'
import { DIGEST, filter, HQ, LOCAL, miss, project, push, requestOf } from './told.ts'

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
