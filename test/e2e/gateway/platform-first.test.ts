import { expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { arrives, startSite } from '../site.ts'

it('brings the platform that a client pulls before the others, and these afterwards', async () => {
  await using site = await startSite({ throughLine: true, project: '    onMiss: stream' })
  const image = await site.publish('team/app:1.0', { layers: 2, layerBytes: 2 * 1024 * 1024 })
  const [, child] = image.manifests.filter(({ digest }) => digest !== image.top.digest)
  const manifests = `http://${site.gateway}/v2/team/app/manifests`
  // Enough for all manifests, and for no layer.
  site.line.hold(500_000)

  await fetch(`${manifests}/1.0`, { headers: { accept: image.top.mediaType } })
  const pulled = await fetch(`${manifests}/${child?.digest}`, {
    headers: { accept: child?.mediaType ?? '' },
  })
  const text = await pulled.text()
  const underWay = await eventually(
    async () => {
      const [job] = await site.jobs('--state', 'active')
      const blobs = job?.progress?.underWay ?? []
      return site.line.held() && blobs.length > 1 && blobs
    },
    { describe: 'layers to be under way' },
  )

  expect(pulled.status).toBe(200)
  expect(underWay.filter(({ digest }) => !text.includes(digest))).toEqual([])
  site.line.release()
  await arrives(site, 'team/app:1.0', image)
})
