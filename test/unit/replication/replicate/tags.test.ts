import { describe, expect, it } from 'vitest'
import { NO_LEDGER } from '../../../../src/replication/graph/blob-ledger.ts'
import { replicate } from '../../../../src/replication/replicate.ts'
import { replicationRequest } from '../../../support/given/replication-request.ts'
import { MemoryRegistry } from '../memory-registry.ts'
import { flights, run, slotsOf, upstreamAndLocal } from './world.ts'

describe('replicate', () => {
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
})
