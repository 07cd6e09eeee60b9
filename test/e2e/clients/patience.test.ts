import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { type Site, startSite } from '../site.ts'

const INDEX = { accept: 'application/vnd.oci.image.index.v1+json' }
const MODES = ['hold', 'stream'] as const

describe.each(MODES)('a client that waits, with onMiss: %s', (mode) => {
  let site: Site

  beforeEach(async () => {
    site = await startSite({
      throughLine: true,
      project: `    onMiss: ${mode}\n    holdFor: 12s`,
      jobs: 'jobs: { attempts: 8, backoff: 500ms, maxBackoff: 500ms }',
    })
  })

  afterEach(async () => {
    await site[Symbol.asyncDispose]()
  })

  function pull(repository: string) {
    return fetch(`http://${site.gateway}/v2/${repository}/manifests/1.0`, { headers: INDEX })
  }

  /** Connections are taken, and broken off: that may be of one image, so the job is tried again. */
  async function breakTheLine(): Promise<void> {
    site.line.lead(await freePort())
    site.line.cut()
  }

  async function missBecomesJob(repository: string, attempts: number) {
    await eventually(
      async () => {
        const jobs = await site.jobs('--match', `${repository}*`)
        return jobs.some((job) => job.request.trigger === 'miss' && job.attemptsMade >= attempts)
      },
      { describe: `the miss of ${repository} to be tried ${attempts} times` },
    )
  }

  it('waits on while the job is tried again, and gets the image', async () => {
    const image = await site.publish('team/flaky:1.0')
    await eventually(async () => {
      const jobs = await site.jobs()
      return jobs.length > 0 && jobs.every(({ state }) => state === 'completed')
    })
    await breakTheLine()
    const pulled = pull('team/flaky')
    await missBecomesJob('team/flaky', 1)
    site.line.lead(site.upstream.port)

    const response = await pulled
    expect(response.status).toBe(200)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(image.top.bytes)
  })

  it.each(['goes away', 'stops to answer'] as const)(
    "gets the registry's own 404 when Redis %s meanwhile",
    async (what) => {
      await breakTheLine()
      const pulled = pull('team/nothing')
      await missBecomesJob('team/nothing', 0)

      if (what === 'goes away') await site.redis.stop()
      else site.redis.pause()

      const response = await pulled
      site.redis.resume()
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ errors: [{ code: 'MANIFEST_UNKNOWN' }] })
    },
  )
})
