import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { RequestHandler } from 'express'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../src/http/app.ts'
import { basicAuth, type BasicCredentials } from '../../../src/http/basic-auth.ts'
import { LoginAttempts } from '../../../src/http/login-attempts.ts'
import { loopbackHostOnly } from '../../../src/http/loopback-host.ts'
import { sameOriginOnly } from '../../../src/http/same-origin.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'

let server: HttpServer | undefined

afterEach(() => server?.stop(0))

function login(credentials: () => BasicCredentials | undefined): RequestHandler {
  return basicAuth({ credentials, peerOf: () => 'somebody', onRefused: () => undefined })
}

describe('basicAuth', () => {
  it.each([
    ['the right credentials', basic('ops:moon:light'), 200],
    ['a wrong password', basic('ops:moon'), 401],
    ['a wrong user', basic('root:moon:light'), 401],
    ['no password', basic('ops:'), 401],
    ['a bearer token', 'Bearer moon:light', 401],
    ['nothing', undefined, 401],
  ])('answers to %s', async (_, authorization, status) => {
    await behind(login(() => ({ username: 'ops', password: 'moon:light' })))

    const answer = await ask({ authorization })

    expect(answer.status).toBe(status)
    expect(answer.challenge).toBe(
      status === 401 ? 'Basic realm="pullsync", charset="UTF-8"' : undefined,
    )
  })

  it('goes by the credentials of this moment', async () => {
    const current: { credentials?: BasicCredentials } = {}
    await behind(login(() => current.credentials))
    expect((await ask({})).status).toBe(200)

    current.credentials = { username: 'ops', password: 'moon' }
    expect((await ask({})).status).toBe(401)
  })
})

describe('whoever guesses', () => {
  let now: number
  let peer: string
  let refused: { peer: string; slowed: boolean }[]

  beforeEach(async () => {
    now = 0
    peer = '192.0.2.7'
    refused = []
    await behind(
      basicAuth({
        credentials: () => ({ username: 'ops', password: 'moon' }),
        peerOf: () => peer,
        onRefused: (each) => refused.push(each),
        attempts: new LoginAttempts(() => now),
      }),
    )
  })

  const guess = async () => (await ask({ authorization: basic('ops:sun') })).status
  const know = async () => (await ask({ authorization: basic('ops:moon') })).status

  it('is told of with its address, and looked at once a second after five wrong passwords', async () => {
    const answers = []
    for (let n = 0; n < 7; n += 1) answers.push(await guess())
    expect(answers).toEqual([401, 401, 401, 401, 401, 429, 429])
    expect(refused).toHaveLength(7)
    expect(refused.at(0)).toEqual({ peer: '192.0.2.7', slowed: false })
    expect(refused.at(-1)).toEqual({ peer: '192.0.2.7', slowed: true })
    expect(await know()).toBe(429)

    now += 1_000
    expect([await guess(), await guess()]).toEqual([401, 429])
    now += 1_000
    expect([await know(), await know()]).toEqual([200, 200])
  })

  it('slows down nobody else', async () => {
    for (let n = 0; n < 6; n += 1) await guess()
    peer = '192.0.2.8'

    expect(await know()).toBe(200)
  })

  it('is a network of IPv6, of which it has every address', async () => {
    peer = '2001:db8::1'
    for (let n = 0; n < 6; n += 1) await guess()

    peer = '2001:db8::ffff:0:0:2'
    expect(await know()).toBe(429)
    peer = '2001:db8:0:1::1'
    expect(await know()).toBe(200)
  })

  it('is no browser that asks before it knows that a password is needed', async () => {
    for (let n = 0; n < 9; n += 1) expect((await ask({})).status).toBe(401)

    expect(refused).toEqual([])
    expect(await know()).toBe(200)
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
