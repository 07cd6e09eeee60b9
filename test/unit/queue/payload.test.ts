import { describe, expect, it } from 'vitest'
import { parsePayload } from '../../../src/queue/payload.ts'

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
    expect(parsePayload(OLD)).toEqual({ ok: true, value: OLD })
  })

  it('is a request also when it says more than this version knows', () => {
    const told = { ...OLD, source: 'edge' }

    expect(parsePayload({ ...told, later: true })).toEqual({ ok: true, value: told })
  })
})
