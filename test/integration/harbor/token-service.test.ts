import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { startFront } from '../../support/network/gateway-front.ts'

/** A registry that has its own token service, as Harbor has: beside an API that is nobody's business here. */
describe('the token service of the registry behind the gateway', () => {
  let realmFor: (host: string) => string | undefined
  let behind: ReturnType<typeof createServer>
  let seen: { method: string; path: string; body: string; headers: IncomingMessage['headers'] }[]
  let unreachable: string[]
  let local: LocalRegistry
  let front: HttpServer

  beforeEach(async () => {
    seen = []
    unreachable = []
    realmFor = (host) => `http://${host}/service/token`
    behind = createServer((incoming, response) => void answer(incoming, response))
    behind.listen(0, '127.0.0.1')
    await once(behind, 'listening')
    local = new LocalRegistry({ url: new URL(`http://127.0.0.1:${portOf(behind)}`) })
    front = await startFront(() => local, unreachable)
  })

  afterEach(async () => {
    await front.stop(0)
    local[Symbol.dispose]()
    behind.closeAllConnections()
    behind.close()
  })

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url: path = '', headers } = incoming
    const body = await text(incoming)
    if (path === '/v2/') {
      const realm = realmFor(headers.host ?? '')
      const challenge = { 'www-authenticate': `Bearer realm="${realm}",service="harbor-registry"` }
      response.writeHead(realm === undefined ? 404 : 401, realm === undefined ? {} : challenge)
      response.end()
      return
    }
    seen.push({ method, path, body, headers })
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t"}')
  }

  /** As written: no client of Node's that tidies the path. */
  async function ask(path: string, method = 'GET', headers: Record<string, string> = {}) {
    const { hostname, port } = new URL(front.url)
    const asking = request({ hostname, port, path, method, headers, agent: false })
    asking.end(method === 'POST' ? 'grant_type=password' : undefined)
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    return { status: response.statusCode, body: await text(response) }
  }

  it('gives tokens for what a client shows, by GET and by POST', async () => {
    const path = '/service/token?service=harbor-registry&scope=repository%3Ateam%2Fapp%3Apull'
    const authorization = `Basic ${btoa('dev:secret')}`

    expect(await ask(path, 'GET', { authorization })).toEqual({
      status: 200,
      body: '{"token":"t"}',
    })
    expect((await ask('/service/token', 'POST')).status).toBe(200)

    expect(seen).toMatchObject([
      { method: 'GET', path, headers: { authorization, host: new URL(front.url).host } },
      { method: 'POST', path: '/service/token', body: 'grant_type=password' },
    ])
  })

  it.each([
    '/service/token/',
    '/service//token',
    '//service/token',
    '/service/./token',
    '/service/x/../token',
    '/service/%74oken',
    '/service%2Ftoken',
    '/service/token;a',
    '/Service/Token',
    '/service/token/../../api/v2.0/users',
    '/service/token%2F..%2F..%2Fapi%2Fv2.0%2Fusers',
    '/service/token%00',
    '/service',
    '/api/v2.0/projects',
    '/c/login',
    '/',
  ])('lets nothing else through: %s', async (path) => {
    expect((await ask(path)).status).toBe(404)
    expect(seen).toEqual([])
  })

  it.each(['HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('takes no %s', async (method) => {
    expect((await ask('/service/token', method)).status).toBe(404)
    expect(seen).toEqual([])
  })

  it.each([
    ['another host', 'http://tokens.example/service/token', 'tokens.example'],
    ['another port of this machine', 'http://127.0.0.1:1/service/token', '127.0.0.1:1'],
    ['a name that only begins like the own one', 'http://127.0.0.1.example/service/token', ''],
    ['no http', 'ftp://127.0.0.1/service/token', '127.0.0.1'],
    ['no address', '/service/token', ''],
  ])('stays closed when the realm is %s, whatever the client calls us', async (_, realm, host) => {
    realmFor = () => realm

    for (const headers of [{}, { host }, { 'x-forwarded-host': host }]) {
      expect((await ask('/service/token', 'GET', headers)).status).toBe(404)
    }
    expect(seen).toEqual([])
  })

  it.each(['', '/', '//', '/a%2Fb', '/a;b', '/a//b'])(
    'stays closed for a realm whose path is not plain: "%s"',
    async (path) => {
      realmFor = (host) => `http://${host}${path}`

      expect((await ask(path === '' ? '/' : path)).status).toBe(404)
      expect(seen).toEqual([])
    },
  )

  it('follows a token service that moves, and forgets where it was', async () => {
    expect((await ask('/service/token')).status).toBe(200)
    realmFor = (host) => `https://${host}/auth/realms/edge/token`

    expect((await ask('/auth/realms/edge/token')).status).toBe(200)
    expect((await ask('/service/token')).status).toBe(404)
    expect(seen.map(({ path }) => path)).toEqual(['/service/token', '/auth/realms/edge/token'])
  })

  it.each([
    ['the address of the gateway itself', () => front.url],
    ['its own address', () => `http://127.0.0.1:${portOf(behind)}`],
  ])('serves a registry whose realm is fixed to %s', async (_, origin) => {
    realmFor = () => `${origin()}/service/token`

    expect((await ask('/service/token')).status).toBe(200)
  })

  it('asks a registry that answers to its own name alone by that', async () => {
    const own = `127.0.0.1:${portOf(behind)}`
    realmFor = (host) => (host === own ? `http://${own}/service/token` : undefined)

    expect((await ask('/service/token')).status).toBe(200)
  })

  it('says that the registry is away, and not that there is no such service', async () => {
    behind.closeAllConnections()
    behind.close()

    expect((await ask('/service/token')).status).toBe(502)
    expect(unreachable).toEqual(['GET'])
  })
})

function portOf(server: ReturnType<typeof createServer>): number {
  return (server.address() as AddressInfo).port
}
