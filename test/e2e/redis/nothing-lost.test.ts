import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Digest, digestOf } from '../../../src/oci/digest.ts'
import { eventually } from '../../support/eventually.ts'
import { type BuiltImage, type BuiltManifest, buildImage } from '../../support/images/image.ts'
import { pushOverHttp, putManifest } from '../../support/images/push-over-http.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { digestAt, type Site, startSite } from '../site.ts'

// `PULLSYNC_TAGS=2000` is the whole of it; a tenth shows the same in a tenth of the time.
const TAGS = Number(process.env['PULLSYNC_TAGS'] ?? 200)
const REDIS_AWAY_MS = TAGS >= 2_000 ? 20_000 : 3_000
const REPOSITORY = 'team/many'

describe('while images are pushed upstream', () => {
  let site: Site
  let image: BuiltImage
  const restarted: PullsyncProcess[] = []

  beforeAll(async () => {
    site = await startSite({
      workers: 2,
      project: '    onUpstreamPush: always\n    referrers: false',
      jobs: 'jobs: { attempts: 50, backoff: 200ms, maxBackoff: 1s }',
    })
    image = await buildImage({ index: false })
    await pushOverHttp(image, { url: site.upstream.url, repository: REPOSITORY, tag: 'first' })
  })

  afterAll(async () => {
    for (const each of [...restarted, image, site]) await each[Symbol.asyncDispose]()
  })

  /** The same content under another digest. */
  function variant(number: number): BuiltManifest {
    const { mediaType, bytes } = image.top
    const json = JSON.parse(bytes.toString()) as object
    const annotated = Buffer.from(JSON.stringify({ ...json, annotations: { number: `${number}` } }))
    return { mediaType, bytes: annotated, digest: digestOf(annotated) }
  }

  async function pushAll(): Promise<ReadonlyMap<string, Digest>> {
    const pushed = new Map<string, Digest>()
    for (let number = 0; number < TAGS; number += 1) {
      const manifest = variant(number)
      const target = { url: site.upstream.url, repository: REPOSITORY, tag: '' }
      await putManifest(manifest, `v${number}`, target)
      pushed.set(`v${number}`, manifest.digest)
    }
    return pushed
  }

  /** Everything that can die dies once, at any moment, and comes back. */
  async function havoc(): Promise<void> {
    await site.serve.kill9()
    const { configFile: file } = site.serve
    restarted.push(
      await startPullsync({
        args: ['serve'],
        config: { file },
        readyUrl: `${site.admin}/readyz`,
      }),
    )
    await site.workers[0]?.kill9()
    await site.startWorker()
    await site.redis.stop()
    await delay(REDIS_AWAY_MS)
    await site.redis.start()
    await site.workers[1]?.kill9()
    await site.startWorker()
  }

  it(`every one of ${TAGS} tags arrives, whatever dies meanwhile`, async () => {
    const [pushed] = await Promise.all([pushAll(), havoc()])

    const missing = new Map(pushed)
    await eventually(
      async () => {
        for (const [tag, digest] of missing) {
          if ((await digestAt(site.local, `${REPOSITORY}:${tag}`)) !== digest) return false
          missing.delete(tag)
        }
        return true
      },
      {
        within: 240_000,
        describe: () => `the tags to arrive; missing: ${[...missing.keys()].join()}`,
      },
    )
    expect(pushed.size).toBe(TAGS)
  }, 300_000)
})
