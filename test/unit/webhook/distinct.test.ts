import { describe, expect, it } from 'vitest'
import { type Digest } from '../../../src/oci/digest.ts'
import { type Reference, type Repository } from '../../../src/oci/reference.ts'
import { type ReplicationRequest } from '../../../src/replication/request.ts'
import { distinct } from '../../../src/webhook/distinct.ts'

const request: ReplicationRequest = {
  repository: 'team/app' as Repository,
  upstreamRepository: 'team/app' as Repository,
  reference: '1.0' as Reference,
  upstreams: ['hq'],
  trigger: 'push',
  onlyIfPresent: false,
  platforms: ['linux/amd64'],
  referrers: true,
  eventId: 'event-1',
}

describe('distinct', () => {
  it('keeps the first of those that ask for the same', () => {
    expect(distinct([request, { ...request, eventId: 'event-2' }])).toEqual([request])
  })

  it.each<[string, Partial<ReplicationRequest>]>([
    ['repository', { repository: 'team/web' as Repository }],
    ['tag', { reference: '1.1' as Reference }],
    ['upstreams', { upstreams: ['hq', 'lab'] }],
    ['trigger', { trigger: 'miss' }],
    ['platforms', { platforms: 'all' }],
    ['announced digest', { announcedDigest: `sha256:${'ab'.repeat(32)}` as Digest }],
  ])('keeps both when they differ in %s', (_, change) => {
    expect(distinct([request, { ...request, ...change }])).toHaveLength(2)
  })
})
