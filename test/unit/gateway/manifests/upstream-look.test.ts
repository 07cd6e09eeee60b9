import { describe, expect, it } from 'vitest'
import { type LookLimits, UpstreamLook } from '../../../../src/gateway/manifests/upstream-look.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import { OCI_INDEX } from '../../../../src/oci/media-types.ts'
import type { Repository, Tag } from '../../../../src/oci/reference.ts'
import type { LimitReason } from '../../../../src/pool/miss-limits.ts'
import type { ContentSource, ManifestHead } from '../../../../src/replication/ports.ts'
import type { ReplicationRequest } from '../../../../src/replication/request.ts'
import { UNLIMITED } from '../../../support/given/unlimited.ts'

const HEAD: ManifestHead = { digest: digestOf(Buffer.from('x')), mediaType: OCI_INDEX }
const REQUEST: ReplicationRequest = {
  repository: 'team/app' as Repository,
  upstreamRepository: 'team/app' as Repository,
  reference: '1.0' as Tag,
  upstreams: ['first', 'second'],
  trigger: 'miss',
  onlyIfPresent: false,
  platforms: 'all',
  referrers: true,
  eventId: 'e1',
}

const NEVER = () => Promise.resolve(undefined)

/** An upstream that only answers HEAD. */
function upstream(head: () => Promise<ManifestHead | undefined>) {
  let asked = 0
  const source = {
    registry: 'first',
    headManifest: () => {
      asked += 1
      return head()
    },
  } as unknown as ContentSource
  return { source, asked: () => asked }
}

describe('UpstreamLook', () => {
  it('asks once for all who ask meanwhile and shortly after', async () => {
    const { source, asked } = upstream(() => Promise.resolve(HEAD))
    const look = new UpstreamLook({
      source: () => source,
      limits: UNLIMITED,
      holdOf: NEVER,
      onError: () => undefined,
    })

    const heads = await Promise.all([look.head(REQUEST), look.head(REQUEST)])

    expect([...heads, await look.head(REQUEST)]).toEqual([HEAD, HEAD, HEAD])
    expect(asked()).toBe(1)
  })

  it('asks the next upstream when the first does not have it', async () => {
    const [none, has] = [
      upstream(() => Promise.resolve(undefined)),
      upstream(() => Promise.resolve(HEAD)),
    ]
    const look = new UpstreamLook({
      source: (id) => (id === 'first' ? none.source : has.source),
      limits: UNLIMITED,
      holdOf: NEVER,
      onError: () => undefined,
    })

    expect(await look.head(REQUEST)).toEqual(HEAD)
  })

  it('remembers that nobody has it', async () => {
    const { source, asked } = upstream(() => Promise.resolve(undefined))
    const look = new UpstreamLook({
      source: () => source,
      limits: UNLIMITED,
      holdOf: NEVER,
      onError: () => undefined,
    })

    expect([await look.head(REQUEST), await look.head(REQUEST)]).toEqual([undefined, undefined])
    expect(asked()).toBe(2)
  })

  it('reports an upstream that fails and goes to no other: that may hold another image', async () => {
    const failing = upstream(() => Promise.reject(new Error('no')))
    const has = upstream(() => Promise.resolve(HEAD))
    const errors: string[] = []
    const look = new UpstreamLook({
      source: (id) => (id === 'first' ? failing.source : has.source),
      limits: UNLIMITED,
      holdOf: NEVER,
      onError: (id) => errors.push(id),
    })

    expect(await look.head(REQUEST)).toMatchObject({ why: { reason: 'upstream-error' } })
    expect(errors).toEqual(['first'])
    expect(has.asked()).toBe(0)
  })

  it('asks nobody for what is held back as noise, and asks again afterwards', async () => {
    const { source, asked } = upstream(() => Promise.resolve(HEAD))
    let limited: LimitReason | undefined = 'repository-limited'
    const limits = { ...UNLIMITED, admit: () => Promise.resolve({ limited, unpaid: false }) }
    const look = new UpstreamLook({
      source: () => source,
      limits,
      holdOf: NEVER,
      onError: () => undefined,
    })

    expect(await look.head(REQUEST)).toEqual({ limited: 'repository-limited' })
    expect(asked()).toBe(0)
    limited = undefined

    expect(await look.head(REQUEST)).toEqual(HEAD)
  })

  it('counts as noise what no upstream has, once for all who ask, and gives back all else', async () => {
    const answers = [() => Promise.resolve(undefined), () => Promise.reject(new Error('no'))]
    let [taken, admitted] = [0, 0]
    const limits: LookLimits = {
      ...UNLIMITED,
      admit: () => {
        admitted += 1
        return Promise.resolve({ limited: undefined, unpaid: false })
      },
      take: () => void (taken += 1),
      giveBack: () => void (admitted -= 1),
    }
    const { source } = upstream(() => answers[0]?.() ?? Promise.resolve(HEAD))
    const look = new UpstreamLook({
      source: () => source,
      limits,
      holdOf: NEVER,
      onError: () => undefined,
    })

    await Promise.all([look.head(REQUEST), look.head(REQUEST)])
    answers.shift()
    await look.head({ ...REQUEST, reference: 'fails' as Tag })
    answers.shift()
    await look.head({ ...REQUEST, reference: 'found' as Tag })

    expect([taken, admitted]).toEqual([1, 1])
  })
})
