import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { RequestHandler } from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { basicAuth, type BasicCredentials } from '../../../src/http/basic-auth.ts'
import { loopbackHostOnly } from '../../../src/http/loopback-host.ts'
import { sameOriginOnly } from '../../../src/http/same-origin.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'

let server: HttpServer | undefined

afterEach(() => server?.stop(0))

describe('basicAuth', () => {
  it.each([
    ['the right credentials', basic('ops:moon:light'), 200],
    ['a wrong password', basic('ops:moon'), 401],
    ['a wrong user', basic('root:moon:light'), 401],
    ['no password', basic('ops:'), 401],
    ['a bearer token', 'Bearer moon:light', 401],
    ['nothing', undefined, 401],
  ])('answers to %s', async (_, authorization, status) => {
    await behind(basicAuth(() => ({ username: 'ops', password: 'moon:light' })))

    const answer = await ask({ authorization })

    expect(answer.status).toBe(status)
    expect(answer.challenge).toBe(
      status === 401 ? 'Basic realm="pullsync", charset="UTF-8"' : undefined,
    )
  })

  it('goes by the credentials of this moment', async () => {
    const current: { credentials?: BasicCredentials } = {}
    await behind(basicAuth(() => current.credentials))
    expect((await ask({})).status).toBe(200)

    current.credentials = { username: 'ops', password: 'moon' }
    expect((await ask({})).status).toBe(401)
  })
})

describe('loopbackHostOnly', () => {
  it.each([
    ['127.0.0.1:9090', 200],
    ['127.9.9.9', 200],
    ['localhost:9090', 200],
    ['LocalHost', 200],
    ['[::1]:9090', 200],
    ['rebound.example:9090', 403],
    ['127.0.0.1.rebound.example', 403],
    ['localhost.rebound.example', 403],
    ['localhost:rebound.example', 403],
    ['10.0.0.1', 403],
  ])('answers to host %s with %i', async (host, status) => {
    await behind(loopbackHostOnly())

    expect((await ask({ host })).status).toBe(status)
  })
})

describe('sameOriginOnly', () => {
  const own = { host: 'localhost:9090', origin: 'http://localhost:9090' }
  it.each([
    ['a program', 'POST', {}, 200],
    ['its own page', 'POST', { ...own, 'sec-fetch-site': 'same-origin' }, 200],
    ['its own page in an old browser', 'PUT', own, 200],
    ['the user', 'POST', { 'sec-fetch-site': 'none' }, 200],
    [
      'its own page behind a proxy',
      'POST',
      { ...own, host: 'x', 'sec-fetch-site': 'same-origin' },
      200,
    ],
    ['another site that only reads', 'GET', { 'sec-fetch-site': 'cross-site' }, 200],
    ['another site', 'POST', { 'sec-fetch-site': 'cross-site' }, 403],
    ['another port of this machine', 'POST', { ...own, 'sec-fetch-site': 'same-site' }, 403],
    ['another site in an old browser', 'DELETE', { ...own, origin: 'http://x.example' }, 403],
    ['a page without an origin', 'POST', { ...own, origin: 'null' }, 403],
  ])('answers to %s', async (_, method, headers, status) => {
    await behind(sameOriginOnly())

    expect((await ask(headers, method)).status).toBe(status)
  })
})

async function behind(guard: RequestHandler): Promise<void> {
  const app = createApp()
  app.use(guard, (_request, response) => {
    response.end('in')
  })
  const address = { host: '127.0.0.1', port: 0 }
  server = await startHttpServer(app, { address, configKey: 'admin.listen' })
}

/** fetch() would not let a host be given. */
async function ask(headers: Readonly<Record<string, string | undefined>>, method = 'GET') {
  const given = Object.fromEntries(Object.entries(headers).filter(([, value]) => value))
  const sent = request(server?.url ?? '', { method, headers: given })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  return { status: response.statusCode, challenge: response.headers['www-authenticate'] }
}

function basic(text: string): string {
  return `Basic ${Buffer.from(text).toString('base64')}`
}
