import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Redis } from 'ioredis'
import { digestOf } from '../../../src/oci/digest.ts'
import { eventually } from '../../support/eventually.ts'
import { type Site, startSite } from '../site.ts'

const HOLD_FOR_S = 2
/** For a machine under load; a client that is not answered by then is not answered in time. */
const GRACE_S = 2
const INDEX = { accept: 'application/vnd.oci.image.index.v1+json' }
/** Each answer of Redis; less than a command may take. */
const LATE_MS = 1_200

const ASKED = ['GET', 'HEAD'].flatMap((method) =>
  ['1.0', digestOf(Buffer.from('nothing'))].map((reference) => [method, reference] as const),
)

describe.each(['stream', 'hold', 'async'])('a miss with onMiss: %s', (mode) => {
  let site: Site

  beforeAll(async () => {
    site = await startSite({
      redisThroughLine: true,
      project: `    onMiss: ${mode}\n    holdFor: ${HOLD_FOR_S}s`,
    })
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
  })

  /** Rejects when there is no answer in time. */
  async function miss(repository: string, method: string, reference: string) {
    const url = `http://${site.gateway}/v2/${repository}/manifests/${reference}`
    const signal = AbortSignal.timeout((HOLD_FOR_S + GRACE_S) * 1_000)
    const answer = await fetch(url, { method, headers: INDEX, signal })
    return { status: answer.status, body: await answer.text() }
  }

  async function expectOwnAnswers(repository: string) {
    const answers = await Promise.all(
      ASKED.map(async ([method, reference]) => ({
        method,
        ...(await miss(repository, method, reference)),
      })),
    )
    expect(answers.map(({ status }) => status)).toEqual(ASKED.map(() => 404))
    for (const { method, body } of answers) {
      expect(body).toContain(method === 'GET' ? 'MANIFEST_UNKNOWN' : '')
    }
  }

  it("gets the registry's own answer within holdFor from a Redis that answers late", async () => {
    site.redisLine.slow(LATE_MS)
    await expectOwnAnswers('team/late')
    site.redisLine.slow(0)
    await eventually(async () => (await fetch(`${site.admin}/readyz`)).ok)
  })

  it("gets the registry's own answer within holdFor while Redis is paused", async () => {
    const redis = new Redis(site.redis.url)
    try {
      await redis.client('PAUSE', (HOLD_FOR_S + GRACE_S) * 1_000, 'ALL')
      await expectOwnAnswers('team/paused')
    } finally {
      redis.disconnect()
    }
  })
})
