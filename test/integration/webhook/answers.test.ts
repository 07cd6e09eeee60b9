import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { miss, pushes, SECRET, webhookSite, type WebhookSite } from './webhook-site.ts'

describe('POST /v1/events/:source', () => {
  let site: WebhookSite

  beforeEach(async () => {
    site = await webhookSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('queues what the delivery asks for and says how many', async () => {
    const answer = await site.post('edge', miss())

    expect(answer.status).toBe(202)
    expect(answer.body).toStrictEqual({ accepted: 1, ignored: 0, duplicates: 0 })
    expect(site.queue.requests).toMatchObject([
      { repository: 'team/app', reference: '1.0', upstreams: ['hq'], trigger: 'miss' },
    ])
  })

  it('answers 202 only when the queue holds the job', async () => {
    const stored = site.queue.hold()
    let answered = false
    const answer = site.post('edge', miss()).then((value) => {
      answered = true
      return value
    })
    await eventually(() => site.queue.asked === 1)
    await site.get('/nothing')
    expect(answered).toBe(false)

    stored()

    expect((await answer).status).toBe(202)
  })

  it('counts a second event of a delivery for the same image as a duplicate', async () => {
    const answer = await site.post('hq-push', pushes([{ id: 'a' }, { id: 'b' }, { tag: 'other' }]))

    expect(answer.body).toStrictEqual({ accepted: 2, ignored: 0, duplicates: 1 })
    expect(site.queue.requests.map(({ reference }) => reference)).toEqual(['1.0', 'other'])
  })

  it('counts what the queue already has as a duplicate', async () => {
    await site.post('edge', miss())

    const answer = await site.post('edge', miss())

    expect(answer.body).toStrictEqual({ accepted: 0, ignored: 0, duplicates: 1 })
  })

  it('answers 202 to events that nothing is done about, also while Redis is away', async () => {
    site.queue.away = true
    const body = pushes([{ action: 'pull' }, { action: 'pong' }, { repository: 'foreign/app' }])

    const answer = await site.post('hq-push', body)

    expect(answer.status).toBe(202)
    expect(answer.body).toStrictEqual({ accepted: 0, ignored: 3, duplicates: 0 })
  })

  it('answers 503 while Redis is away, and takes the repetition when it is back', async () => {
    site.queue.away = true
    const refused = await site.post('edge', miss())
    site.queue.away = false
    const taken = await site.post('edge', miss())

    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.body).toEqual({ error: expect.any(String) as string })
    expect(taken.body).toStrictEqual({ accepted: 1, ignored: 0, duplicates: 0 })
  })

  it('answers 500 without details to what nobody expected, and logs them', async () => {
    site.queue.broken = new Error('a detail')

    const answer = await site.post('edge', miss())

    expect(answer.status).toBe(500)
    expect(JSON.stringify(answer.body)).not.toContain('a detail')
    expect(site.log.lines()).toContainEqual(expect.stringContaining('a detail'))
  })

  it('keeps the request id of the sender and makes one where there is none', async () => {
    const given = await site.post('edge', miss(), { 'x-request-id': 'orbit-17' })
    const insane = await site.post('edge', miss(), { 'x-request-id': 'x'.repeat(500) })

    expect(given.headers.get('x-request-id')).toBe('orbit-17')
    expect(site.queue.requests[0]?.eventId).toBe('orbit-17')
    expect(insane.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('outlives a sender that goes away in the middle of the body', async () => {
    const socket = connect(site.server.address.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `POST /v1/events/edge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${SECRET}\r\nContent-Length: 1000\r\n\r\n{"repo`,
    )
    socket.destroy()
    await eventually(() => site.log.lines().some((line) => line.includes('"status":400')))

    expect((await site.post('edge', miss())).status).toBe(202)
    expect(site.queue.requests).toHaveLength(1)
  })

  it('counts deliveries, events and jobs, and never names what is not configured', async () => {
    await site.post('edge', miss())
    await site.post('edge', miss({ repository: 'foreign/app' }))
    await site.post('made-up', miss())

    const text = await site.metrics.render()
    expect(text).toContain('pullsync_deliveries_total{source="edge",status="202"} 2')
    expect(text).toContain('pullsync_deliveries_total{source="unknown",status="404"} 1')
    expect(text).toContain('pullsync_events_received_total{source="edge",action="miss"} 2')
    expect(text).toContain(
      'pullsync_events_ignored_total{source="edge",reason="unknown-project"} 1',
    )
    expect(text).toContain('pullsync_jobs_enqueued_total{upstream="hq",trigger="miss"} 1')
    expect(text).not.toContain('made-up')
  })

  it('logs neither secrets nor credentials', async () => {
    await site.post('edge', miss())
    await site.post('edge', miss(), { authorization: 'Bearer guessed-it' })

    expect(site.log.lines().length).toBeGreaterThan(0)
    expect(site.log.lines().join('\n')).not.toMatch(/orbit-secret|guessed-it/)
  })
})
