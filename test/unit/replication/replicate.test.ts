import { describe, expect, it } from 'vitest'
import type { Digest } from '../../../src/oci/digest.ts'
import { NO_LEDGER } from '../../../src/replication/graph/blob-ledger.ts'
import { BlobFlights } from '../../../src/replication/graph/blob-flights.ts'
import type { Outcome } from '../../../src/replication/outcome.ts'
import { replicate } from '../../../src/replication/replicate.ts'
import type { ReplicationRequest } from '../../../src/replication/request.ts'
import { TransferSchedule } from '../../../src/replication/pace/transfer-schedule.ts'
import type { TransferSlots } from '../../../src/replication/pace/transfer-slots.ts'
import { replicationRequest } from '../../support/replication-request.ts'
import { MemoryRegistry } from './memory-registry.ts'

const flights = new BlobFlights()

function slotsOf(limit: number): TransferSlots {
  const schedule = new TransferSchedule({ upstream: () => limit, local: () => limit })
  return schedule.slots('hq', { urgency: 0, queuedAt: 0 })
}

function upstreamAndLocal() {
  return {
    upstream: new MemoryRegistry('hq', 'team/app'),
    local: new MemoryRegistry('local', 'team/app'),
  }
}

async function run(
  { upstream, local }: { upstream: MemoryRegistry; local: MemoryRegistry },
  changes: Partial<ReplicationRequest> = {},
  signal = new AbortController().signal,
): Promise<Outcome> {
  const request = replicationRequest({ referrers: true, ...changes })
  const slots = slotsOf(2)
  return await replicate(request, {
    source: () => upstream,
    target: local,
    slots: () => slots,
    flights,
    ledger: NO_LEDGER,
    signal,
    onProgress: () => undefined,
    log: () => undefined,
  })
}

function multiArch(upstream: MemoryRegistry) {
  const amd64 = upstream.addImage(undefined, 'shared layer', 'amd64 layer')
  const arm64 = upstream.addImage(undefined, 'shared layer', 'arm64 layer')
  const index = upstream.addIndex('1.0', { 'linux/amd64': amd64, 'linux/arm64': arm64 })
  return { index, amd64, arm64 }
}

describe('replicate', () => {
  it('copies an index with all it names, each blob once, the tag last', async () => {
    const world = upstreamAndLocal()
    const { index, amd64, arm64 } = multiArch(world.upstream)

    const outcome = await run(world)

    expect(outcome).toMatchObject({
      kind: 'copied',
      digest: index.digest,
      manifests: 3,
      blobs: { copied: 5, skipped: 0, mounted: 0 },
    })
    expect(world.local.blobs).toEqual(world.upstream.blobs)
    expect(world.local.manifests.get(index.digest)?.bytes).toEqual(index.bytes)
    const puts = world.local.asked.filter((entry) => /^PUT (?!blob)/.test(entry))
    expect(puts.at(-1)).toBe('PUT 1.0')
    expect(puts.slice(0, -1).toSorted()).toEqual(
      [`PUT ${amd64.digest}`, `PUT ${arm64.digest}`].toSorted(),
    )
  })

  it('asks upstream for nothing but one GET of the manifest when the image is missing', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'layer')

    await run(world, { referrers: false })

    expect(world.upstream.asked.filter((entry) => !entry.includes('blob'))).toEqual(['GET 1.0'])
  })

  it('asks upstream nothing about a miss that somebody has already filled', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'newer')
    const held = world.local.addImage('1.0', 'older')

    const outcome = await run(world)

    expect(outcome).toEqual({ kind: 'up-to-date', digest: held.digest })
    expect(world.upstream.asked).toEqual([])
  })

  it('leaves a tag to whoever pushed it while the miss was being filled', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'theirs')
    world.upstream.beforeBlob = () => {
      world.local.addImage('1.0', 'pushed meanwhile')
      return Promise.resolve()
    }

    const outcome = await run(world)

    const mine = world.local.addImage(undefined, 'pushed meanwhile')
    expect(outcome).toEqual({ kind: 'up-to-date', digest: mine.digest })
    expect(world.local.tags.get('1.0')).toBe(mine.digest)
  })

  it('spends one HEAD on a tag that has not moved', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'layer')
    world.local.addImage('1.0', 'layer')

    const outcome = await run(world, { trigger: 'revalidate' })

    expect(outcome.kind).toBe('up-to-date')
    expect(world.upstream.asked).toEqual(['HEAD 1.0'])
    expect(world.local.asked).toEqual(['HEAD 1.0'])
  })

  it('looks for new referrers of a tag that has not moved where one request tells of them', async () => {
    const world = upstreamAndLocal()
    world.upstream.referrersApi = true
    const image = world.upstream.addImage('1.0', 'layer')
    world.local.addImage('1.0', 'layer')
    const list = `referrers of ${image.digest}`

    await run(world, { trigger: 'revalidate' })
    expect(world.upstream.asked).toEqual(['HEAD 1.0', list])

    const signature = world.upstream.addReferrer(image, 'a signature')
    const outcome = await run(world, { trigger: 'revalidate' })
    expect(outcome).toMatchObject({ kind: 'up-to-date', digest: image.digest, referrers: 1 })
    expect(world.local.manifests.has(signature.digest)).toBe(true)

    const before = world.upstream.asked.length
    await run(world, { trigger: 'revalidate' })
    expect(world.upstream.asked.slice(before)).toEqual(['HEAD 1.0', list])
  })

  it('brings what a manifest that was pushed by its digest refers to, where that is held', async () => {
    const world = upstreamAndLocal()
    world.upstream.referrersApi = true
    const image = world.upstream.addImage('1.0', 'layer')
    const signature = world.upstream.addReferrer(image, 'a signature')
    const pushed = {
      reference: signature.digest,
      trigger: 'revalidate',
      onlyIfPresent: true,
    } as const

    expect(await run(world, pushed)).toMatchObject({ kind: 'refused' })
    expect(world.upstream.asked).toEqual([`GET ${signature.digest}`])
    expect(world.local.manifests.size).toBe(0)

    world.local.addImage('1.0', 'layer')
    expect(await run(world, pushed)).toMatchObject({
      kind: 'up-to-date',
      digest: image.digest,
      referrers: 1,
    })
    expect(world.local.manifests.has(signature.digest)).toBe(true)
  })

  it('brings nothing that was pushed by its digest and refers to nothing', async () => {
    const world = upstreamAndLocal()
    const child = world.upstream.addImage(undefined, 'layer')
    const pushed = { reference: child.digest, trigger: 'revalidate', onlyIfPresent: true } as const

    expect(await run(world, pushed)).toMatchObject({ kind: 'refused' })

    expect(world.upstream.asked).toEqual([`GET ${child.digest}`])
    expect(world.local.manifests.size).toBe(0)
  })

  it('brings what refers to an image whose digest a push names', async () => {
    const world = upstreamAndLocal()
    const image = world.upstream.addImage('1.0', 'layer')
    const named = { reference: image.digest, trigger: 'push', onlyIfPresent: true } as const
    expect(await run(world, named)).toMatchObject({ kind: 'refused' })
    world.local.addImage('1.0', 'layer')
    world.upstream.addReferrer(image, 'a signature')

    expect(await run(world, named)).toMatchObject({ kind: 'up-to-date', referrers: 1 })
  })

  it('follows a tag that moved and fetches only what is new', async () => {
    const world = upstreamAndLocal()
    world.local.addImage('1.0', 'base', 'old')
    const moved = world.upstream.addImage('1.0', 'base', 'new')

    const outcome = await run(world, { trigger: 'push', onlyIfPresent: true })

    expect(outcome).toMatchObject({ kind: 'copied', blobs: { copied: 2, skipped: 1 } })
    expect(world.local.tags.get('1.0')).toBe(moved.digest)
  })

  it('waits for the tag that a push announced before it was written', async () => {
    const world = upstreamAndLocal()
    world.local.addImage('1.0', 'old')
    world.upstream.addImage('1.0', 'old')
    const announced = world.upstream.addImage('not yet tagged', 'new')
    let heads = 0
    const headManifest = world.upstream.headManifest.bind(world.upstream)
    world.upstream.headManifest = async (reference) => {
      heads += 1
      if (heads === 3) world.upstream.tags.set('1.0', announced.digest)
      return await headManifest(reference)
    }

    const outcome = await run(world, {
      trigger: 'push',
      onlyIfPresent: true,
      announcedDigest: announced.digest,
    })

    expect(outcome).toMatchObject({ kind: 'copied', digest: announced.digest })
  })

  it('takes what the tag says now when the push event was overtaken by another', async () => {
    const world = upstreamAndLocal()
    world.local.addImage('1.0', 'first')
    const overtaken = world.upstream.addImage(undefined, 'second')
    const current = world.upstream.addImage('1.0', 'third')

    const outcome = await run(world, {
      trigger: 'push',
      onlyIfPresent: true,
      announcedDigest: overtaken.digest,
    })

    expect(outcome).toMatchObject({ kind: 'copied', digest: current.digest })
    expect(world.local.manifests.has(overtaken.digest)).toBe(false)
  })

  it('refreshes nothing that is not held locally', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'layer')

    const outcome = await run(world, { trigger: 'push', onlyIfPresent: true })

    expect(outcome.kind).toBe('refused')
    expect(world.upstream.asked).toEqual([])
  })

  it('asks the next upstream only for what the one before does not have', async () => {
    const { local } = upstreamAndLocal()
    const empty = new MemoryRegistry('empty', 'team/app')
    const full = new MemoryRegistry('full', 'team/app')
    full.addImage('1.0', 'layer')
    const slots = slotsOf(2)

    const outcome = await replicate(replicationRequest({ upstreams: ['empty', 'full'] }), {
      source: (id) => (id === 'empty' ? empty : full),
      target: local,
      slots: () => slots,
      flights,
      ledger: NO_LEDGER,
      signal: new AbortController().signal,
      onProgress: () => undefined,
      log: () => undefined,
    })

    expect(outcome).toMatchObject({ kind: 'copied', upstream: 'full' })
    expect(empty.asked).toEqual(['GET 1.0'])
  })

  it('says not-found when no upstream has it', async () => {
    const world = upstreamAndLocal()

    expect(await run(world)).toEqual({ kind: 'not-found', upstreams: ['hq'] })
  })

  it('copies the whole index where the registry refuses one with missing platforms', async () => {
    const world = upstreamAndLocal()
    const { index, arm64 } = multiArch(world.upstream)

    const outcome = await run(world, { platforms: ['linux/amd64'] })

    expect(outcome).toMatchObject({ kind: 'copied', digest: index.digest })
    expect(world.local.manifests.has(arm64.digest)).toBe(true)
  })

  it('refuses an index that has none of the wanted platforms, and names those it has', async () => {
    const world = upstreamAndLocal()
    multiArch(world.upstream)

    const outcome = await run(world, { platforms: ['windows/amd64'] })

    expect(outcome).toMatchObject({ kind: 'refused' })
    expect(JSON.stringify(outcome)).toContain('linux/amd64, linux/arm64')
  })

  it('pushes a child again that the registry said it had but had not', async () => {
    const world = upstreamAndLocal()
    const { amd64 } = multiArch(world.upstream)
    const heldAt = world.local.heldAt.bind(world.local)
    world.local.heldAt = async (reference) =>
      reference === amd64.digest
        ? { digest: amd64.digest, withheld: false }
        : await heldAt(reference)

    const outcome = await run(world)

    expect(outcome.kind).toBe('copied')
    expect(world.local.manifests.has(amd64.digest)).toBe(true)
  })

  it('links a blob that another copy brings meanwhile instead of fetching it twice', async () => {
    const upstream = new MemoryRegistry('hq', 'team/app')
    upstream.addImage('1.0', 'shared')
    const shared = [...upstream.blobs.keys()]
    const one = new MemoryRegistry('local', 'team/one')
    const two = new MemoryRegistry('local', 'team/two')
    two.neighbours.set('team/one', one)
    one.neighbours.set('team/two', two)
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let waiting = 0
    upstream.beforeBlob = async () => {
      waiting += 1
      if (waiting === shared.length) release()
      await held
    }

    const outcomes = await Promise.all([
      run({ upstream, local: one }),
      run({ upstream, local: two }),
    ])

    expect(upstream.asked.filter((entry) => entry.startsWith('GET blob'))).toHaveLength(2)
    const mounted = outcomes.map((outcome) =>
      outcome.kind === 'copied' ? outcome.blobs.mounted : -1,
    )
    expect(mounted.reduce((a, b) => a + b)).toBe(2)
  })

  it('cancels the rest when one blob fails, and reports the failure, not the cancellation', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'good', 'bad')
    const [, bad] = [...world.upstream.blobs.keys()] as [Digest, Digest]
    world.upstream.beforeBlob = async (digest) => {
      await Promise.resolve()
      if (digest === bad) throw new Error('upstream broke')
    }

    await expect(run(world)).rejects.toThrow('upstream broke')
    expect(world.local.tags.size).toBe(0)
  })

  it('stops when it is told to', async () => {
    const world = upstreamAndLocal()
    world.upstream.addImage('1.0', 'layer')
    const stop = new AbortController()
    world.upstream.beforeBlob = async () => {
      stop.abort(new Error('stopping'))
      await Promise.resolve()
    }

    await expect(run(world, {}, stop.signal)).rejects.toThrow('stopping')
    expect(world.local.tags.size).toBe(0)
  })
})
