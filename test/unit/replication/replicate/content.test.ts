import { describe, expect, it } from 'vitest'
import type { Digest } from '../../../../src/oci/digest.ts'
import { MemoryRegistry } from '../memory-registry.ts'
import { multiArch, run, upstreamAndLocal } from './world.ts'

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
