import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { parseReferrerList } from '../../../src/oci/referrer-list.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { type HeldRequests, startHeldRequests } from '../../support/registry/held-requests.ts'
import type { BuiltImage } from '../../support/images/image.ts'
import { startPullsync } from '../../support/process/pullsync-process.ts'
import { fallbackTag, pushReferrer } from '../../support/images/referrer.ts'
import { Started } from '../../support/process/started.ts'
import { MISS_LIMITS } from '../../support/given/miss-limits.ts'
import { readCounts } from '../../../src/queue/records/upstream-status.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { digestAt, type Site, startSite } from '../site.ts'

describe('jobs of two workers that write one tag of what refers to an image', () => {
  let parts: Started
  let site: Site
  let way: HeldRequests
  let image: BuiltImage
  let queues: ReplicationQueues

  beforeEach(async () => {
    parts = new Started()
    site = await parts.add(startSite({ workers: 0, upstream: { notifications: [] } }))
    way = await parts.add(startHeldRequests(site.local.port))
    image = await site.publish('team/app:1.0')
    const config = `
redis: { url: '${site.redis.url}' }
listen: 127.0.0.1:${await freePort()}
local: { url: '${way.url}' }
upstreams: { hq: { url: '${site.upstream.url}' } }
projects: [{ name: team, upstream: hq }]
`
    queues = await parts.add(Promise.resolve(openQueues(site.redis.url)))
    await eventually(() => queues.ping().then(() => true))
    await parts.add(startPullsync({ args: ['worker'], config, readyLine: /process started/ }))
  })

  afterEach(async () => {
    await parts[Symbol.asyncDispose]()
  })

  const tag = (suffix = '') => `${fallbackTag(image.top.digest)}${suffix}`

  const sync = async (reference: string) => {
    expect((await site.serve.run(['sync', `team/app:${reference}`])).code).toBe(0)
  }

  /** The first job is about to write the tag. */
  async function firstWrites(name: string): Promise<void> {
    way.hold('PUT', new RegExp(`/manifests/${name}$`))
    await sync('1.0')
    await eventually(() => way.held(), { describe: 'the first job to write the tag' })
  }

  /** The second has written it, or waits for the first; it may be run by either worker. */
  async function secondWritesOrWaits(name: string): Promise<void> {
    await sync(name)
    await site.startWorker()
    await eventually(async () => {
      const { delayed } = await readCounts(queues.of('hq'))
      return delayed > 0 || (await digestAt(site.local, `team/app:${name}`)) !== undefined
    })
  }

  async function idle(): Promise<void> {
    await eventually(async () => {
      const { waiting, active, delayed } = await readCounts(queues.of('hq'))
      return waiting + active + delayed === 0
    })
  }

  async function attach(name: string) {
    return await pushReferrer({
      ...{ url: site.upstream.url, repository: 'team/app', subject: image.top },
      ...{ artifactType: 'application/x.sbom', content: name },
    })
  }

  it('lose no entry of the list under the fallback tag', async () => {
    const first = await attach('the first')
    await firstWrites(tag())
    const second = await attach('the second')

    await secondWritesOrWaits(tag())
    way.release()
    await idle()

    const list = await fetch(`${site.local.url}/v2/team/app/manifests/${tag()}`, {
      headers: { accept: OCI_INDEX },
    })
    const listed = parseReferrerList(Buffer.from(await list.arrayBuffer()))
    expect(listed.ok && listed.value.map(({ digest }) => digest).sort()).toEqual(
      [first.digest, second.digest].sort(),
    )
  })

  it("do not set a tag of cosign's back", async () => {
    const name = tag('.sig')
    const sign = (content: string) =>
      pushReferrer({
        ...{ url: site.upstream.url, repository: 'team/app', tag: name },
        ...{ artifactType: OCI_MANIFEST, content },
      })
    await sign('the first')
    await firstWrites(name)
    const newer = await sign('the second')

    await secondWritesOrWaits(name)
    way.release()
    await idle()

    expect(await digestAt(site.local, `team/app:${name}`)).toBe(newer.digest)
  })
})

const JOBS = {
  ...{ attempts: 1, backoffMs: 20, maxBackoffMs: 100 },
  keepCompleted: { ageMs: 60_000, count: 100 },
  keepFailed: { ageMs: 60_000, count: 100 },
}

function openQueues(url: string): ReplicationQueues {
  const onError = () => undefined
  const config = { jobs: JOBS, misses: MISS_LIMITS }
  return new ReplicationQueues({ url, upstreams: ['hq'], ...config, onError })
}
