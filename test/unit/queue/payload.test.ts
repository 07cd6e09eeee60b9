import { describe, expect, it } from 'vitest'
import type { Digest } from '../../../src/oci/digest.ts'
import type { Repository, Tag } from '../../../src/oci/reference.ts'
import { parsePayload } from '../../../src/queue/payload.ts'
import { deduplicationId, shortened } from '../../../src/queue/stored-request.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'

const OLD = {
  repository: 'team/app',
  upstreamRepository: 'team/app',
  reference: '1.0',
  upstreams: ['hq'],
  trigger: 'miss',
  onlyIfPresent: false,
  platforms: 'all',
  referrers: true,
  eventId: 'e1',
}

describe('a job of another version', () => {
  it('is a request also when it does not say who told of the miss', () => {
    expect(parsePayload({ name: 'miss', data: OLD }, 'hq')).toEqual({ ok: true, value: OLD })
  })

  it('is a request also when it says more than this version knows', () => {
    const told = { ...OLD, source: 'edge' }

    expect(parsePayload({ name: 'miss', data: { ...told, later: true } }, 'hq')).toEqual({
      ok: true,
      value: told,
    })
  })

  it('is a request also when it leaves out what goes without saying under long names', () => {
    const { repository, reference, upstreams, trigger, eventId } = OLD
    const data = { repository, reference, upstreams, trigger, eventId }

    expect(parsePayload({ name: 'miss', data }, 'hq')).toEqual({ ok: true, value: OLD })
  })
})

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}` as Digest
const LONG_DIGEST = `sha512:${'0123456789abcdef'.repeat(8)}` as Digest

const PUSH: ReplicationRequest = {
  repository: 'team/app' as Repository,
  upstreamRepository: 'team/app' as Repository,
  reference: '1.0' as Tag,
  upstreams: ['hq'],
  trigger: 'push',
  announcedDigest: DIGEST,
  onlyIfPresent: false,
  platforms: 'all',
  referrers: true,
  source: 'edge',
  eventId: '6a0f5b5e-3f6f-4a55-9b57-0d3a1a7f3c21',
}

const FULL: ReplicationRequest = {
  repository: 'team/app' as Repository,
  upstreamRepository: 'platform/app' as Repository,
  reference: DIGEST,
  upstreams: ['hq', 'lab'],
  trigger: 'revalidate',
  announcedDigest: LONG_DIGEST,
  replaces: DIGEST,
  onlyIfPresent: true,
  platforms: ['linux/amd64'],
  referrers: false,
  followed: true,
  source: 'edge',
  client: '10.0.0.1',
  unpaid: false,
  eventId: 'of its own form',
  trace: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
}

describe('a request in the queue', () => {
  it.each([
    ['of a push', PUSH],
    ['that says everything', FULL],
    ['that another upstream is asked for first', { ...PUSH, upstreams: ['lab'] as const }],
    ['whose event has an id of 22 letters', { ...PUSH, eventId: 'abcdefghijklmnopqrstuv' }],
    ['whose event has a UUID in capitals', { ...PUSH, eventId: PUSH.eventId.toUpperCase() }],
    ['of a deletion', { ...PUSH, trigger: 'delete' as const }],
  ])('comes back as it was, one %s', (_, request) => {
    expect(parsePayload(queued(request), 'hq')).toEqual({ ok: true, value: request })
  })

  it('is short where it only says the usual', () => {
    expect(JSON.stringify(queued(PUSH).data).length).toBeLessThanOrEqual(96)
  })

  it.each([
    ['repository', '../etc:1.0', { e: 'e1' }],
    ['repository', undefined, { e: 'e1' }],
    ['tag', 'team/app:-', { e: 'e1' }],
    ['digest', 'team/app:1.0', { d: 'md5:0', e: 'e1' }],
    ['eventId', 'team/app:1.0', {}],
  ])('is refused when its %s is none', (what, deduplicationId, data) => {
    const result = parsePayload({ name: 'miss', data, deduplicationId }, 'hq')

    expect(result.ok ? '' : result.reason).toContain(what)
  })

  function queued(request: ReplicationRequest) {
    const data: unknown = JSON.parse(JSON.stringify(shortened(request, 'hq')))
    return { name: request.trigger, data, deduplicationId: deduplicationId(request) }
  }
})
