import { describe, expect, it } from 'vitest'
import type { PullEvent } from '../../../src/events/registry-event.ts'
import type { Digest } from '../../../src/oci/digest.ts'
import type { Repository, Tag } from '../../../src/oci/reference.ts'
import { decide } from '../../../src/policy/decide.ts'
import type { Project } from '../../../src/policy/project.ts'

const LOCAL = { registry: 'local', account: 'pullsync' }

const pull: PullEvent = {
  action: 'pull',
  id: 'event-1',
  repository: 'team/app' as Repository,
  tag: '1.0' as Tag,
}

const team: Project = {
  name: 'team',
  upstreams: ['hq'],
  autoSync: true,
  repositories: { include: ['**'], exclude: [] },
  tags: { include: ['*'], exclude: ['*-rc*'] },
  platforms: 'all',
  referrers: true,
  revalidateAfterMs: 600_000,
  onUpstreamPush: 'refresh',
  onUpstreamDelete: 'keep',
}

describe('a pull of a tag that is here', () => {
  it('is the occasion to look whether upstream has moved it, unless that was done lately', () => {
    expect(decide(pull, LOCAL, [team])).toMatchObject({
      kind: 'replicate',
      unlessCheckedWithinMs: 600_000,
      request: { repository: 'team/app', reference: '1.0', trigger: 'revalidate' },
    })
  })

  it('brings nothing that was not here', () => {
    expect(decide(pull, LOCAL, [team])).toMatchObject({ request: { onlyIfPresent: true } })
  })

  it.each<[string, Partial<PullEvent>, Partial<Project>, string]>([
    ['of no project', { repository: 'other/app' as Repository }, {}, 'unknown-project'],
    ['of a project that does not sync by itself', {}, { autoSync: false }, 'auto-sync-off'],
    ['of a filtered tag', { tag: '1.0-rc1' as Tag }, {}, 'tag-filtered'],
    ['by pullsync', { userAgent: 'pullsync/0.1.0' }, {}, 'own-activity'],
    ['by the account of pullsync', { actor: 'pullsync' }, {}, 'own-activity'],
  ])('%s is ignored', (_, change, settings, reason) => {
    expect(decide({ ...pull, ...change }, LOCAL, [{ ...team, ...settings }])).toEqual({
      kind: 'ignore',
      reason,
    })
  })

  it('by digest is ignored: what is under a digest stays what it is', () => {
    const { tag: _, ...untagged } = pull
    const digest = `sha256:${'ab'.repeat(32)}` as Digest

    expect(decide({ ...untagged, digest }, LOCAL, [team])).toEqual({
      kind: 'ignore',
      reason: 'pull',
    })
  })

  it('upstream is no news', () => {
    expect(decide(pull, { registry: 'hq' }, [team])).toEqual({ kind: 'ignore', reason: 'pull' })
  })
})
