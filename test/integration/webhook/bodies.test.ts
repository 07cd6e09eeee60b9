import { randomBytes } from 'node:crypto'
import { deflateSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { miss, pushes, webhookSite, type WebhookSite } from './webhook-site.ts'

const MIB = 1024 * 1024

describe('POST /v1/events/:source', () => {
  let site: WebhookSite

  beforeEach(async () => {
    site = await webhookSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('reads the media types that JSON parsers do not know', async () => {
    for (const version of ['v1', 'v2']) {
      const type = `application/vnd.docker.distribution.events.${version}+json`
      const answer = await site.post('hq-push', pushes([{ tag: version }]), {
        'content-type': type,
      })
      expect(answer.body).toMatchObject({ accepted: 1 })
    }
  })

  it('reads bodies whatever charset their content type claims', async () => {
    const type = 'application/json; charset=utf-99'

    const answer = await site.post('edge', miss(), { 'content-type': type })

    expect(answer.body).toMatchObject({ accepted: 1 })
  })

  it.each([
    ['9 MiB', 'identity', Buffer.alloc(9 * MIB, ' '), '8388608 bytes'],
    ['9 MiB, packed well', 'gzip', gzipSync(Buffer.alloc(9 * MIB)), '100 times its size'],
    ['9 MiB, packed badly', 'gzip', gzipSync(randomBytes(9 * MIB)), '8388608 bytes'],
    ['99 KiB that were few bytes on the way', 'gzip', gzipSync(Buffer.alloc(99_999)), '100 times'],
  ])('answers 413 to a body of %s', async (_, encoding, body, reason) => {
    const answer = await site.post('edge', body, { 'content-encoding': encoding })

    expect(answer.status).toBe(413)
    expect(answer.body).toEqual({ error: expect.stringContaining(reason) as string })
  })

  it('takes a body of exactly 8 MiB', async () => {
    const body = miss()

    const answer = await site.post('edge', body.padEnd(8 * MIB))

    expect(answer.status).toBe(202)
  })

  it.each([
    ['gzip', gzipSync(miss())],
    ['deflate', deflateSync(miss())],
  ])('inflates %s', async (encoding, body) => {
    const answer = await site.post('edge', body, { 'content-encoding': encoding })

    expect(answer.body).toMatchObject({ accepted: 1 })
  })

  it('answers 400 to a gzip body that is cut off', async () => {
    const body = gzipSync(miss()).subarray(0, 20)

    const answer = await site.post('edge', body, { 'content-encoding': 'gzip' })

    expect(answer.status).toBe(400)
  })

  it('answers 415 to an encoding that it does not know', async () => {
    const answer = await site.post('edge', miss(), { 'content-encoding': 'rot13' })

    expect(answer.status).toBe(415)
  })

  it.each([
    ['an empty body', '', 'empty'],
    ['no JSON', 'hello', 'not valid JSON'],
    ['a truncated body', miss().slice(0, -5), 'not valid JSON'],
    ['a list', '[]', 'not a JSON object'],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'UTF-8'],
    ['a wrong repository', miss({ repository: 'team/../etc' }), '"team/../etc"'],
    ['an upper-case repository', miss({ repository: 'Team/app' }), '"Team/app"'],
    ['a repository of 300 characters', miss({ repository: 'a'.repeat(300) }), '300 characters'],
    ['a wrong reference', miss({ reference: 'sha256:12' }), '"sha256:12"'],
    ['no reference', JSON.stringify({ repository: 'team/app' }), '"reference"'],
  ])('answers 422 to %s, with the reason', async (_, body, reason) => {
    const answer = await site.post('edge', body)

    expect(answer.status).toBe(422)
    expect(answer.body).toEqual({ error: expect.stringContaining(reason) as string })
    expect(site.queue.asked).toBe(0)
  })

  it('takes a malformed body from a sender that would repeat it for ever', async () => {
    const answer = await site.post('hq-push', '{"events":7}')

    expect(answer.status).toBe(202)
    expect(answer.body).toStrictEqual({ malformed: true, reason: '"events" is not a list' })
    expect(await site.metrics.render()).toContain(
      'pullsync_deliveries_malformed_total{source="hq-push"} 1',
    )
    expect(site.log.lines()).toContainEqual(expect.stringContaining('delivery malformed'))
  })
})
