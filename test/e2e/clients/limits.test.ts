import { readFile } from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { arrives, type Site, startSite } from '../site.ts'

describe('limits', () => {
  let site: Site | undefined

  afterEach(async () => {
    await site?.[Symbol.asyncDispose]()
    site = undefined
  })

  it('keeps to maxBytesPerSecond, and heeds its change while a copy runs', async () => {
    // At this rate the image would take an hour.
    site = await startSite({ upstreamConfig: '    maxBytesPerSecond: 1KiB' })
    const { serve, workers, publish, miss, jobs } = site
    const image = await publish('team/slow:1.0', { index: false, layers: 2, layerBytes: 2_000_000 })
    await miss('team/slow', '1.0')
    const layers = image.blobs.filter(({ size }) => size > 1_000_000)
    const digests = new Set(layers.map(({ digest }) => digest))
    // Both at once; the config is small, but may have to wait for what came before it.
    const { underWay, totalBytes } = await eventually(async () => {
      const [job] = await jobs('--state', 'active')
      const large = job?.progress?.underWay.filter(({ digest }) => digests.has(digest))
      return job?.progress && large?.length === 2 && { ...job.progress, underWay: large }
    })
    expect(totalBytes).toBe(image.bytes)
    expect(sizesOf(underWay)).toEqual(sizesOf(layers))
    for (const { bytes, size } of underWay) expect(bytes).toBeLessThan(size / 2)
    expect((await serve.run(['check'])).stderr).not.toContain('maxBytesPerSecond')

    const config = await readFile(serve.configFile, 'utf8')
    for (const worker of workers) {
      await worker.writeConfig(config.replace('maxBytesPerSecond: 1KiB', ''))
    }

    await arrives(site, 'team/slow:1.0', image)
  })
})

function sizesOf(blobs: readonly { readonly digest: string; readonly size: number }[]) {
  return Object.fromEntries(blobs.map(({ digest, size }) => [digest, size]))
}
