import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../src/http/server.ts'
import { closed } from '../support/closed.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { startFront } from '../support/gateway-front.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** What a registry may do that docker-registry cannot be made to do on command. */
describe('what passes through the gateway', () => {
  let answer: Answer
  let unreachable: string[]
  let behind: ReturnType<typeof createServer>
  let local: LocalRegistry
  let front: HttpServer

  beforeEach(async () => {
    unreachable = []
    answer = (_request, response) => response.end()
    behind = createServer({ maxHeaderSize: 100_000 }, (request, response) => {
      answer(request, response)
    })
    behind.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      answer(request, response)
    })
    behind.listen(0, '127.0.0.1')
    await once(behind, 'listening')
    const { port } = behind.address() as AddressInfo
    local = new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) })
    front = await startFront(() => local, unreachable)
  })

  afterEach(async () => {
    await front.stop(0)
    local[Symbol.dispose]()
    behind.closeAllConnections()
    behind.close()
  })

  it('goes with the method, path, query and headers that the client sent', async () => {
    let seen: IncomingMessage | undefined
    answer = (request, response) => {
      seen = request
      response.writeHead(206, 'Some Of It', ['X-Two', '1', 'X-Two', '2', 'Content-Length', '2'])
      response.end('ok')
    }

    const response = await fetch(`${front.url}/v2/a/blobs/uploads/x?_state=%2Bq&b=1`, {
      method: 'PATCH',
      body: 'bytes',
      headers: { range: 'bytes=1-2', 'if-match': '"e"' },
    })

    expect(response.status).toBe(206)
    expect(response.statusText).toBe('Some Of It')
    expect(response.headers.get('x-two')).toBe('1, 2')
    expect(response.headers.get('date')).not.toBeNull()
    expect(seen?.method).toBe('PATCH')
    expect(seen?.url).toBe('/v2/a/blobs/uploads/x?_state=%2Bq&b=1')
    expect(seen?.headers).toMatchObject({
      host: new URL(front.url).host,
      range: 'bytes=1-2',
      'if-match': '"e"',
      'content-length': '5',
    })
  })

  const TOLD = {
    'x-forwarded-for': '203.0.113.9, 198.51.100.1',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'registry.example',
    'x-real-ip': '203.0.113.9',
    forwarded: 'for=203.0.113.9;host=registry.example;proto=https',
  }

  it.each([
    ['of nobody', [], {}],
    ['of others', ['198.51.100.0/24', '203.0.113.9'], {}],
    ['of the one that speaks', ['127.0.0.0/8'], TOLD],
  ])(
    'says of the client only what is known, where it has the trust %s',
    async (_, trusted, kept) => {
      let seen: IncomingMessage['headers'] = {}
      answer = ({ headers }, response) => {
        seen = headers
        response.end()
      }
      await using trusting = await startFront(() => local, unreachable, { trusted })

      await fetch(`${trusting.url}/v2/`, { headers: TOLD })

      const told = Object.keys(TOLD).flatMap((name) => (name in seen ? [[name, seen[name]]] : []))
      expect(Object.fromEntries(told)).toEqual({
        'x-forwarded-proto': 'http',
        ...kept,
        'x-forwarded-for': [
          ...('forwarded' in kept ? [TOLD['x-forwarded-for']] : []),
          '127.0.0.1',
        ].join(', '),
      })
    },
  )

  it.each([
    ['what was just being written', [500, 200], 200],
    ['what stays broken', [500, 500], 500],
    ['what is said to be too much', [503], 503],
  ])('asks once more for a manifest answered 500: %s', async (_, statuses, told) => {
    const left = [...statuses]
    answer = (_request, response) => response.writeHead(left.shift() ?? 418).end()

    const { status } = await fetch(`${front.url}/v2/team/app/manifests/1.0`)

    expect(status).toBe(told)
    expect(left).toEqual([])
  })

  it('streams bodies of unknown length both ways', async () => {
    answer = (request, response) => request.pipe(response)
    const sending = request(`${front.url}/v2/a/blobs/uploads/x`, { method: 'POST' })
    sending.write('one ')
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    sending.end('two')

    expect(await text(response)).toBe('one two')
  })

  it('lets the registry say whether it wants the body', async () => {
    answer = (request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'Content-Length': 0 }).end()
        return
      }
      response.writeContinue()
      request.pipe(response)
    }
    const send = (headers: Record<string, string>) => {
      const sending = request(`${front.url}/v2/a/blobs/uploads/x`, {
        method: 'PUT',
        headers: { ...headers, expect: '100-continue', 'content-length': '4' },
      })
      let continued = false
      sending.once('continue', () => {
        continued = true
        sending.end('body')
      })
      sending.on('error', () => undefined)
      sending.flushHeaders()
      return once(sending, 'response').then(([response]) => ({
        response: response as IncomingMessage,
        continued: () => continued,
        end: () => sending.destroy(),
      }))
    }

    const refused = await send({})
    expect(refused.response.statusCode).toBe(401)
    expect(refused.response.headers.connection).toBe('close')
    expect(refused.continued()).toBe(false)
    refused.end()

    const taken = await send({ authorization: 'Basic eDp5' })
    expect(await text(taken.response)).toBe('body')
    expect(taken.continued()).toBe(true)
  })

  it('ends at the registry when the client goes away', async () => {
    let closed = false
    answer = (request) => request.once('close', () => (closed = true)).resume()
    const leaving = request(`${front.url}/v2/a/blobs/uploads/x`, { method: 'POST' })
    leaving.on('error', () => undefined)
    leaving.write('some')
    await eventually(() => behind.listening && connectionsOf(behind), { describe: 'a connection' })

    leaving.destroy()

    await eventually(() => closed, { describe: 'the registry to see the end' })
  })

  it('is cut for the client where it is cut by the registry', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'Content-Length': 10 })
      response.write('half', () => response.destroy())
    }

    await expect(fetch(`${front.url}/v2/a/blobs/uploads/x`).then((r) => r.text())).rejects.toThrow()
  })

  it('is answered 502 in the words of the registry API when there is no registry', async () => {
    const nowhere = new LocalRegistry({ url: new URL(`http://127.0.0.1:${await freePort()}`) })
    await using lonely = await startFront(() => nowhere, unreachable)

    const response = await fetch(`${lonely.url}/v2/`)

    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] })
    expect(unreachable).toHaveLength(1)
  })

  it('is not sent round and round when local.url is the gateway itself', async () => {
    const port = await freePort()
    const itself = new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) })
    await using loop = await startFront(() => itself, unreachable, { port })

    expect((await fetch(`${loop.url}/v2/`)).status).toBe(508)
  })

  it.each(['GET', 'DELETE', 'OPTIONS', 'HEAD'])(
    'is one request, also where Connection names the length of the body of a %s',
    async (method) => {
      const seen: string[] = []
      answer = (request, response) => {
        seen.push(`${request.method} ${request.url} ${request.headers.host}`)
        request.resume().once('end', () => response.end())
      }
      const body = 'GET /v2/secret HTTP/1.1\r\nHost: b\r\n\r\n'
      const client = connect(front.address.port, '127.0.0.1')
      client.write(
        `${method} /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host\r\n`,
      )
      client.write(`Content-Length: ${body.length}\r\n\r\n${body}`)

      expect(await text(client)).toMatch(/^HTTP\/1\.1 200 /)
      // On the connection of the one before, so after whatever else came on it.
      await fetch(`${front.url}/v2/a/blobs/uploads/y`)
      expect(seen).toEqual([
        `${method} /v2/a/blobs/uploads/x a`,
        `GET /v2/a/blobs/uploads/y ${new URL(front.url).host}`,
      ])
    },
  )

  it.each([
    '/v2/../api/v2.0/users',
    '/v2/%2e%2e/api/v2.0/users',
    '/v2/team/..%2f..%2fapi',
    '/v2//api',
    '/v2/team\\\\..\\\\api',
    '/v2/team/app;x/manifests/1.0',
    '/v2/team/app/blobs/uploads/..',
    'http://registry.example/v2/../api',
  ])('is no other path than those of the registry API: not %s', async (path) => {
    let asked = 0
    answer = (_request, response) => {
      asked += 1
      response.end()
    }
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

    const answers = await Promise.all(
      methods.map((method) =>
        say(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
      ),
    )

    expect(answers.map((text) => text.slice(0, 13))).toEqual(methods.map(() => 'HTTP/1.1 404 '))
    expect(asked).toBe(0)
  })

  it.each([
    [
      'HTTP/1.0 that names no host',
      'GET /v2/ HTTP/1.0\r\n\r\n',
      () => `127.0.0.1:${front.address.port}`,
    ],
    ['HTTP/1.0 that names one', 'HEAD /v2/ HTTP/1.0\r\nHost: a.example\r\n\r\n', () => 'a.example'],
    [
      'the whole address',
      'GET http://a.example:81/v2/?n=1 HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n',
      () => 'a.example:81',
    ],
  ])('is asked of the registry for the host that is meant: %s', async (_, text, host) => {
    const seen: unknown[] = []
    answer = ({ url, headers }, response) => {
      seen.push([url, headers.host])
      response.end()
    }

    expect(await say(text)).toMatch(/^HTTP\/1\.1 200 /)
    expect(seen).toEqual([[text.includes('n=1') ? '/v2/?n=1' : '/v2/', host()]])
  })

  it.each([
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 1'],
    ['a coding that stays', 'Transfer-Encoding: gzip, chunked'],
    ['two hosts', 'Host: b\r\nContent-Length: 1'],
  ])('is refused with its connection where the head is not clear: %s', async (_, headers) => {
    let asked = 0
    answer = (_request, response) => {
      asked += 1
      response.end()
    }

    const text = await say(`PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n1`)

    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text).toMatch(/\r\nConnection: close\r\n/i)
    expect(asked).toBe(0)
  })

  /** All that comes back on the connection. */
  async function say(words: string): Promise<string> {
    const client = connect(front.address.port, '127.0.0.1')
    client.write(words)
    return await text(client)
  }

  it('has heads of sixty kibibytes both ways', async () => {
    let token = ''
    answer = ({ headers }, response) => {
      token = headers.authorization ?? ''
      const told = Array.from({ length: 2_000 }, (_, at) => [`X-${at}`, 'y'.repeat(20)]).flat()
      response.writeHead(200, [...told, 'Content-Length', '2']).end('ok')
    }
    const sent = `Bearer ${'t'.repeat(60_000)}`

    for (const path of ['/v2/a/manifests/1', `/v2/a/blobs/sha256:${'a'.repeat(64)}`, '/v2/']) {
      const asked = request(`${front.url}${path}`, {
        headers: { authorization: sent },
        maxHeaderSize: 100_000,
      })
      asked.maxHeadersCount = 0
      const [got] = (await once(asked.end(), 'response')) as [IncomingMessage]
      expect(await text(got)).toBe('ok')
      expect(got.headers['x-1999']).toBe('y'.repeat(20))
      expect(token).toBe(sent)
    }
  })

  it('has no more heads in memory that do not come to an end than a bound', async () => {
    const open = new Set<Socket>()
    const long = `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(60_000)}`
    for (let at = 0; at < 600; at += 1) {
      const client = connect(front.address.port, '127.0.0.1')
      open.add(client)
      client.on('error', () => undefined).once('close', () => open.delete(client))
      client.write(long)
    }

    await eventually(() => open.size * long.length < 17 * 2 ** 20, {
      describe: 'most to be closed',
    })

    expect(await say(`${long}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
    for (const client of open) client.destroy()
  })

  it('ends with a client whose body makes no progress, however long it goes on', async () => {
    let ended = false
    answer = (asked) => asked.resume().once('close', () => (ended = true))
    await using impatient = await startFront(() => local, unreachable, { stallMs: 300 })
    const client = connect(impatient.address.port, '127.0.0.1')
    client.write('PUT /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n')
    const trickle = setInterval(() => client.write('.'), 20)

    await closed(client)
    clearInterval(trickle)

    await eventually(() => ended, { describe: 'the registry to see the end' })
    expect(unreachable).toEqual([])
  })

  it('is not begun for what is no HTTP', async () => {
    const socket = connect(front.address.port, '127.0.0.1')
    socket.end('GET /v2/ HTTP/9.9\r\n\r\n')

    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })
})

async function connectionsOf(server: ReturnType<typeof createServer>): Promise<boolean> {
  return await new Promise((resolve, reject) => {
    server.getConnections((error, count) => {
      if (error === null) resolve(count > 0)
      else reject(error)
    })
  })
}
