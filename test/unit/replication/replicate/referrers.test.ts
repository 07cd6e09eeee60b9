import { describe, expect, it } from 'vitest'
import { run, upstreamAndLocal } from './world.ts'

describe('replicate', () => {
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
})
