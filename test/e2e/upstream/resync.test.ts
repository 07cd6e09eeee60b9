import { afterEach, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { buildImage } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { arrives, digestAt, type Site, startSite } from '../site.ts'

// What is pushed upstream is not announced: the clock alone finds it.
const SILENT = { notifications: [] }
const EVERY_MINUTE = "    resync: '* * * * *'"

let site: Site | undefined

afterEach(async () => {
  await site?.[Symbol.asyncDispose]()
  site = undefined
})

async function start(local = {}): Promise<Site> {
  site = await startSite({
    workers: 2,
    upstream: SILENT,
    local: { notifications: [], ...local },
    project: EVERY_MINUTE,
  })
  return site
}

function minute(): number {
  return Math.floor(Date.now() / 60_000)
}

function walks({ workers }: Site) {
  return workers.flatMap((worker) =>
    worker.output().flatMap((line) => {
      if (!line.includes('resync ended')) return []
      return [JSON.parse(line) as { walkId: string; tags: number; queued: number }]
    }),
  )
}

it('the clock brings what moved upstream, for what is here, once over two workers', async () => {
  const begun = minute()
  const here = await start()
  const old = await here.publish('team/app:1.0')
  await here.publish('team/unwanted:1.0')
  await here.miss('team/app', '1.0')
  await arrives(here, 'team/app:1.0', old)
  await using own = await buildImage()
  await pushOverHttp(own, { url: here.local.url, repository: 'other/own', tag: '1.0' })
  const moved = await here.publish('team/app:1.0')

  await arrives(here, 'team/app:1.0', moved, 150_000)

  // The clock may have struck before the image was here, or before it moved: then there were more.
  const all = await eventually(() => walks(here).some(({ tags }) => tags > 0) && walks(here))
  const looked = { project: 'team', repositories: 1, tags: 1, queued: 1 }
  expect(all).toContainEqual(expect.objectContaining(looked))
  expect(new Set(all.map(({ walkId }) => walkId)).size).toBe(all.length)
  expect(all.length).toBeLessThanOrEqual(minute() - begun)
  expect(await digestAt(here.local, 'team/unwanted:1.0')).toBeUndefined()
  expect(await digestAt(here.local, 'other/own:1.0')).toBe(own.top.digest)
  // Each look takes one HEAD at most, that of what moved, too.
  const heads = { method: 'HEAD', path: /team\/app\/manifests\/1\.0/ }
  const looks = all.reduce((sum, { queued }) => sum + queued, 0)
  const asked = await eventually(() => here.upstream.requests(heads).length)
  expect(asked).toBeLessThanOrEqual(looks)
})
