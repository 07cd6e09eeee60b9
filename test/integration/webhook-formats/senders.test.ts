import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { deliveryOf, readFixture } from '../../fixtures/read-fixtures.ts'
import { eventually } from '../../support/eventually.ts'
import { formatsSite, type FormatsSite, SECRET, TOKEN } from './formats-site.ts'

describe('the events of every format, through the webhook into the queue', () => {
  let site: FormatsSite

  beforeAll(async () => {
    site = await formatsSite()
  })

  afterAll(() => site[Symbol.asyncDispose]())

  beforeEach(() => site.beginTest())

  it.each([
    ['github', 'ping'],
    ['acr', 'ping'],
    ['gitea', 'push-of-commits'],
    ['quay', 'build-success'],
    ['harbor', 'quota-warned-default'],
  ] as const)('%s: %s is taken, and nothing is done', async (format, name) => {
    expect(await site.post(format, name)).toEqual({
      status: 202,
      body: { accepted: 0, ignored: 1, duplicates: 0 },
    })
  })

  it('answers 401 to a token for another receiver, and 503 while the keys cannot be had', async () => {
    const delivery = deliveryOf(readFixture('insert-tag', 'gar'))
    const withToken = async (aud: string) => {
      const token = await site.keyService.token({ ...TOKEN, aud, iss: 'accounts.google.com' })
      const headers = { authorization: `Bearer ${token}` }
      const url = `${site.url}/v1/events/gar-apart`
      const { status } = await fetch(url, { method: 'POST', body: delivery.body, headers })
      return status
    }

    site.keyService.answerWith((_request, response) => response.writeHead(500).end())
    expect(await withToken(TOKEN.aud)).toBe(503)
    site.keyService.answerWith(undefined)
    expect(await withToken('another')).toBe(503)
    expect(await site.jobs()).toEqual([])
    await eventually(async () => (await withToken('another')) === 401)
    expect(await withToken(TOKEN.aud)).toBe(202)
  })

  it('gives Event Grid the code that it waits for', async () => {
    expect(await site.post('acr', 'event-grid-validation')).toEqual({
      status: 200,
      body: { validationResponse: '5E1F-C0DE' },
    })
  })

  it.each([
    ['cloudevents', SECRET, 200],
    ['cloudevents', 'wrong', 401],
    ['acr', SECRET, 200],
    ['harbor', SECRET, 405],
    ['nobody', SECRET, 405],
  ])(
    'answers a sender of %s that asks whether it may send, with %s: %i',
    async (id, secret, status) => {
      const response = await fetch(`${site.url}/v1/events/${id}`, {
        method: 'OPTIONS',
        headers: { 'webhook-request-origin': 'events.example', authorization: `Bearer ${secret}` },
      })

      expect(response.status).toBe(status)
      expect(response.headers.get('webhook-allowed-origin')).toBe(
        status === 200 ? 'events.example' : null,
      )
    },
  )

  it('answers Event Grid, which asks with the secret in the path', async () => {
    const ask = async (secret: string) => {
      const url = `${site.url}/v1/events/acr/${encodeURIComponent(secret)}`
      const headers = { 'webhook-request-origin': 'eventgrid.example' }
      return (await fetch(url, { method: 'OPTIONS', headers })).status
    }

    expect(await ask(SECRET)).toBe(200)
    expect(await ask('wrong')).toBe(401)
  })

  it.each([
    ['harbor', 422],
    ['zot', 422],
    ['quay', 202],
    ['dockerhub', 422],
    ['github', 422],
    ['gitlab', 202],
    ['gitea', 422],
    ['acr', 422],
    ['ecr', 422],
    ['gar', 202],
    ['artifactory', 422],
    ['nexus', 422],
    ['cloudevents', 422],
    ['distribution', 202],
  ] as const)('%s: a malformed body is answered %i', async (format, status) => {
    const answer = await site.send(format, deliveryOf({ headers: {}, body: '7' }))

    expect(answer.status).toBe(status)
    expect(answer.body).toHaveProperty(status === 202 ? 'reason' : 'error')
  })
})
