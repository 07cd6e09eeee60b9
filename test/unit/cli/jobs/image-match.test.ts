import { describe, expect, it } from 'vitest'
import { imageMatcher } from '../../../../src/cli/jobs/image-match.ts'
import type { Reference, Repository } from '../../../../src/oci/reference.ts'
import type { JobRecord } from '../../../../src/queue/records/job-records.ts'

function job(repository: string, reference: string): JobRecord {
  return {
    id: 'hq-1',
    upstream: 'hq',
    state: 'failed',
    attemptsMade: 1,
    attempts: 5,
    addedAt: 0,
    request: {
      repository: repository as Repository,
      upstreamRepository: repository as Repository,
      reference: reference as Reference,
      upstreams: ['hq'],
      trigger: 'miss',
      onlyIfPresent: false,
      platforms: 'all',
      referrers: true,
      eventId: 'event-1',
    },
  }
}

describe('imageMatcher', () => {
  it.each([
    ['team/app:1.0', true],
    ['team/app:1.*', true],
    ['team/app', true],
    ['team/*', true],
    ['team/**', true],
    ['team/app:2.*', false],
    ['other/*', false],
    ['app', false],
  ])('takes %s for team/app:1.0: %s', (glob, matches) => {
    expect(imageMatcher(glob)(job('team/app', '1.0'))).toBe(matches)
  })

  it('takes every job without a glob', () => {
    expect(imageMatcher(undefined)(job('team/app', '1.0'))).toBe(true)
  })

  it('finds images that are named by digest', () => {
    expect(imageMatcher('team/app@sha256:*')(job('team/app', `sha256:${'0'.repeat(64)}`))).toBe(
      true,
    )
  })
})
