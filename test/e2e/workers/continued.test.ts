import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import type { BuiltImage } from '../../support/images/image.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'
import { arrives, type Site, type SiteOptions, startSite } from '../site.ts'

const MIB = 1024 * 1024
const LAYER = 40 * MIB
const HELD_AT = 24 * MIB
/** What may be lost: in a socket, or not yet written. */
const LOST = 8 * MIB

describe('a large layer that was half here', () => {
  let temporary: TempFolder
  let site: Site
  let image: BuiltImage

  beforeEach(async () => {
    temporary = await tempFolder('continued')
  })

  afterEach(async () => {
    await site[Symbol.asyncDispose]()
    await temporary[Symbol.asyncDispose]()
  })

  async function startHeld(options: SiteOptions = {}): Promise<void> {
    site = await startSite({
      throughLine: true,
      // Not faster than a network, nor than a busy machine takes it.
      upstreamConfig: '    maxBytesPerSecond: 15MB',
      jobs: 'jobs: { attempts: 50, backoff: 200ms, maxBackoff: 200ms }',
      workerEnv: { TMPDIR: temporary.path },
      ...options,
    })
    image = await site.publish('team/large:1.0', { index: false, layers: 1, layerBytes: LAYER })
    site.line.hold(HELD_AT)
  }

  async function half(): Promise<void> {
    await eventually(
      async () => {
        const [job] = await site.jobs('--state', 'active')
        return site.line.held() && (job?.progress?.bytes ?? 0) > HELD_AT - LOST
      },
      { describe: 'half of the layer' },
    )
  }

  /** Of the layer, per request: the first one was cut. */
  async function sent(): Promise<readonly { readonly status: number; readonly bytes: number }[]> {
    // Only then are all lines of its log here.
    await site.upstream.stop()
    const layer = image.blobs.find(({ size }) => size >= LAYER)
    return site.upstream.requests({ method: 'GET', path: new RegExp(`blobs/${layer?.digest}`) })
  }

  async function expectContinued(): Promise<void> {
    const [, ...later] = await sent()
    expect(later).toMatchObject([{ status: 206 }])
    expect(later[0]?.bytes).toBeLessThan(LAYER - HELD_AT + LOST)
  }

  it.each([
    ['nobody waits for', 'async'],
    ['a client waits for', 'stream'],
  ])('and %s is continued by another worker when the first is killed', async (_, onMiss) => {
    await startHeld({ project: `    onMiss: ${onMiss}` })
    await fetch(`http://${site.gateway}/v2/team/large/manifests/1.0`)
    await half()
    await site.workers[0]?.kill9()
    site.line.release()

    await site.startWorker()

    await arrives(site, 'team/large:1.0', image)
    await expectContinued()
  })

  it('is continued when the local registry went away meanwhile', async () => {
    await startHeld()
    await site.miss('team/large', '1.0')
    await half()
    await site.local.stop()
    site.line.release()
    const failed = async () => (await site.jobs()).some(({ state }) => state === 'delayed')
    await eventually(failed, {
      describe: 'the copy to fail',
    })

    await site.local.start()

    await arrives(site, 'team/large:1.0', image)
    const [, ...later] = await sent()
    expect(later.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(LAYER - HELD_AT + LOST)
  })

  it('is all removed from the disk once it is where it should be', async () => {
    await startHeld()
    await site.miss('team/large', '1.0')
    await half()
    site.line.release()
    await arrives(site, 'team/large:1.0', image)

    const [folder = ''] = await readdir(temporary.path)
    await eventually(async () => (await readdir(join(temporary.path, folder))).length === 0, {
      describe: 'the spool to be empty',
    })
  })
})
