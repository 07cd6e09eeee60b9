import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { edge, miss, SECRET, webhookSite, type WebhookSite } from './webhook-site.ts'

describe('POST /v1/events/:source', () => {
  let site: WebhookSite

  beforeEach(async () => {
    site = await webhookSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it.each(['edge', '%65dge', 'edge/', 'edge?from=here'])(
    'answers alike, plain or not, whatever stands in the path: %s',
    async (source) => {
      const taken = await site.post(source, miss())
      expect(taken.status).toBe(202)
      expect(taken.headers.get('content-type')).toBe('application/json; charset=utf-8')
      expect(taken.body).toStrictEqual({ accepted: 1, ignored: 0, duplicates: 0 })

      const refused = await site.post(source, miss(), { authorization: 'Bearer wrong' })
      expect(refused.status).toBe(401)
      expect(JSON.stringify(refused.body)).toContain('source \\"edge\\"')
    },
  )

  it.each([
    ['no secret at all', {}],
    ['a wrong secret', { authorization: 'Bearer wrong' }],
    ['an empty secret', { authorization: 'Bearer ' }],
    ['the secret in another header', { 'x-secret': SECRET }],
  ])('answers 401 to %s, and queues nothing', async (_, headers) => {
    const answer = await site.post('edge', 'no json either', {
      authorization: undefined,
      ...headers,
    })

    expect(answer.status).toBe(401)
    expect(answer.body).toEqual({ error: expect.stringContaining('edge') as string })
    expect(site.queue.asked).toBe(0)
  })

  it('takes the older of two secrets', async () => {
    const answer = await site.post('edge', miss(), { authorization: 'Bearer older-secret' })

    expect(answer.status).toBe(202)
  })

  it('answers 404 for an unknown source', async () => {
    for (const source of ['nobody', '__proto__', 'constructor', '..%2Fedge']) {
      const answer = await site.post(source, miss())
      expect(answer.status).toBe(404)
    }
    expect(site.queue.asked).toBe(0)
  })

  it('answers 404 for an unknown source before it reads the body', async () => {
    const head = `POST /v1/events/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n`

    const answer = await site.exchange(head)

    expect(answer).toContain('HTTP/1.1 404')
  })

  it('knows the sources of the configuration of this moment', async () => {
    site.sources.set('new', { ...edge, id: 'new' })
    expect((await site.post('new', miss())).status).toBe(202)

    site.sources.delete('new')
    expect((await site.post('new', miss())).status).toBe(404)
  })

  it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('answers 405 to %s', async (method) => {
    const answer = await fetch(`${site.server.url}/v1/events/edge`, { method })

    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('POST')
  })

  it('answers 400 to a path that does not decode', async () => {
    expect((await site.post('%E0%A4%A', miss())).status).toBe(400)
  })

  describe('a secret in the path', () => {
    const pushed = JSON.stringify({ repository: 'team/app', updated_tags: ['1.0'] })
    const none = { authorization: undefined }

    it.each([
      ['the secret', 'path%20secret%2F%2541', 202],
      ['the older one', 'older-secret', 202],
      ['another', 'guessed-it', 401],
      ['one that is not decoded', 'path secret/%41', 404],
      ['an empty one', '', 401],
    ])('%s (%s) is answered %i', async (_, secret, status) => {
      const answer = await site.post(`quay/${secret}`, pushed, none)

      expect(answer.status).toBe(status)
      expect(site.queue.requests).toHaveLength(status === 202 ? 1 : 0)
    })

    it('is looked at only for formats that need it', async () => {
      const answer = await site.post(`edge/${SECRET}`, miss(), none)

      expect(answer.status).toBe(404)
      expect(answer.body).toEqual({ error: expect.stringContaining('pull-miss') as string })
      expect(site.queue.asked).toBe(0)
    })

    it('gets into no log and no answer, also when something breaks', async () => {
      await site.post('quay/guessed-it', pushed, none)
      await site.post('nobody/guessed-it', pushed, none)
      await site.post('quay/guessed-it%E0%A4%A', pushed, none)
      await site.post('quay/older-secret', '{', none)
      site.queue.broken = new Error('a detail')
      const answer = await site.post('quay/older-secret', pushed, none)

      expect(answer.status).toBe(500)
      expect(site.log.lines()).toContainEqual(expect.stringContaining('/v1/events/quay/***'))
      expect(site.log.lines().join('\n') + JSON.stringify(answer.body)).not.toMatch(
        /guessed-it|older-secret/,
      )
    })
  })
})
