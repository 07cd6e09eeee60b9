import { readdir } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { run } from '../../support/process/run.ts'
import { tempFolder } from '../../support/process/temp-folder.ts'
import { startSite } from '../site.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'

it('clients that follow a layer when the disk fills up get the rest once it is here', async (context) => {
  await using folder = await tempFolder('full-disk')
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', folder.path])
  if (mounted.code !== 0) context.skip('this user must not mount')
  try {
    await using site = await startSite({
      // Slow enough that the disk is full before the layer is here.
      upstreamConfig: '    maxBytesPerSecond: 10MiB',
      project: '    onMiss: stream',
      jobs: `spool: { folder: ${folder.path}, size: 64MiB }`,
    })
    const options = { index: false, layers: 1, layerBytes: 40_000_000 }
    const image = await site.publish('team/large:1.0', options)
    const layer = image.blobs.find(({ size }) => size > 1_000_000)?.digest ?? ''
    const repository = `http://${site.gateway}/v2/team/large`
    await fetch(`${repository}/manifests/1.0`, { headers: { accept: image.top.mediaType } })

    const pulls = ['bytes=0-', 'bytes=20000000-'].map(async (range) => {
      const answer = await fetch(`${repository}/blobs/${layer}`, { headers: { range } })
      return Buffer.from(await answer.arrayBuffer())
    })
    const [whole, rest] = await Promise.all(pulls)

    expect(whole && digestOf(whole)).toBe(layer)
    expect(whole?.subarray(20_000_000).equals(rest ?? Buffer.alloc(0))).toBe(true)
    const lines = site.workers.flatMap((worker) => worker.output())
    expect(lines.filter((line) => line.includes('spool refused'))).toHaveLength(1)
  } finally {
    await run('umount', [folder.path])
  }
})

it('a client whose blob finds no room in the spool gets it all the same, once it is here', async (context) => {
  await using folder = await tempFolder('small-disk')
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder.path])
  if (mounted.code !== 0) context.skip('this user must not mount')
  try {
    await using site = await startSite({
      workerEnv: { TMPDIR: folder.path },
      project: '    onMiss: stream',
    })
    expect(await readdir(folder.path)).toContainEqual(expect.stringContaining('pullsync-spool-'))
    const image = await site.publish('team/large:1.0', {
      index: false,
      layers: 2,
      layerBytes: 4_000_000,
    })
    const repository = `http://${site.gateway}/v2/team/large`

    const manifest = await fetch(`${repository}/manifests/1.0`, {
      headers: { accept: image.top.mediaType },
    })
    const blobs = await Promise.all(
      image.blobs.map(async ({ digest }) => {
        const answer = await fetch(`${repository}/blobs/${digest}`)
        return digestOf(Buffer.from(await answer.arrayBuffer()))
      }),
    )

    expect(manifest.status).toBe(200)
    expect(blobs).toEqual(image.blobs.map(({ digest }) => digest))
    for (const { digest } of image.blobs) {
      const path = new RegExp(`/blobs/${digest}$`)
      expect(await loggedRequests(site.upstream, { method: 'GET', path })).toHaveLength(1)
    }
  } finally {
    await run('umount', [folder.path])
  }
})
