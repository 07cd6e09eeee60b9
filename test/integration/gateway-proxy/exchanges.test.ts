import { once } from 'node:events'
import { type createServer, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { closed } from '../../support/network/closed.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { startFront } from '../../support/network/gateway-front.ts'
import { proxySite, type ProxySite } from './proxy-site.ts'

/** What a registry may do that docker-registry cannot be made to do on command. */
describe('what passes through the gateway', () => {
  let site: ProxySite

  beforeEach(async () => {
    site = await proxySite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('goes with the method, path, query and headers that the client sent', async () => {
    let seen: IncomingMessage | undefined
    site.answer = (request, response) => {
      seen = request
      response.writeHead(206, 'Some Of It', ['X-Two', '1', 'X-Two', '2', 'Content-Length', '2'])
      response.end('ok')
    }

    const response = await fetch(`${site.front.url}/v2/a/blobs/uploads/x?_state=%2Bq&b=1`, {
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
      host: new URL(site.front.url).host,
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
      site.answer = ({ headers }, response) => {
        seen = headers
        response.end()
      }
      await using trusting = await startFront(() => site.local, site.unreachable, { trusted })

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
    site.answer = (_request, response) => response.writeHead(left.shift() ?? 418).end()

    const { status } = await fetch(`${site.front.url}/v2/team/app/manifests/1.0`)

    expect(status).toBe(told)
    expect(left).toEqual([])
  })

  it('streams bodies of unknown length both ways', async () => {
    site.answer = (request, response) => request.pipe(response)
    const sending = request(`${site.front.url}/v2/a/blobs/uploads/x`, { method: 'POST' })
    sending.write('one ')
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    sending.end('two')

    expect(await text(response)).toBe('one two')
  })

  it('lets the registry say whether it wants the body', async () => {
    site.answer = (request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'Content-Length': 0 }).end()
        return
      }
      response.writeContinue()
      request.pipe(response)
    }
    const send = (headers: Record<string, string>) => {
      const sending = request(`${site.front.url}/v2/a/blobs/uploads/x`, {
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
    site.answer = (request) => request.once('close', () => (closed = true)).resume()
    const leaving = request(`${site.front.url}/v2/a/blobs/uploads/x`, { method: 'POST' })
    leaving.on('error', () => undefined)
    leaving.write('some')
    await eventually(() => site.behind.listening && connectionsOf(site.behind), {
      describe: 'a connection',
    })

    leaving.destroy()

    await eventually(() => closed, { describe: 'the registry to see the end' })
  })

  it('ends at the registry when the client goes away before its turn on the connection', async () => {
    const open = new Set<string>()
    site.answer = ({ url = '' }, response) => {
      open.add(url)
      response.once('close', () => open.delete(url))
      if (url !== '/v2/') response.end(Buffer.alloc(50_000_000))
    }
    const leaving = connect(site.front.address.port, '127.0.0.1')
    leaving.write(
      'GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\nGET /v2/_catalog HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    await eventually(() => open.size === 2, { describe: 'both requests' })

    leaving.destroy()

    await eventually(() => open.size === 0, { describe: 'the registry to see the end of both' })
  })

  it('is cut for the client where it is cut by the registry', async () => {
    site.answer = (_request, response) => {
      response.writeHead(200, { 'Content-Length': 10 })
      response.write('half', () => response.destroy())
    }

    await expect(
      fetch(`${site.front.url}/v2/a/blobs/uploads/x`).then((r) => r.text()),
    ).rejects.toThrow()
  })

  it('is answered 502 in the words of the registry API when there is no registry', async () => {
    const nowhere = new LocalRegistry({ url: new URL(`http://127.0.0.1:${await freePort()}`) })
    await using lonely = await startFront(() => nowhere, site.unreachable)

    const response = await fetch(`${lonely.url}/v2/`)

    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] })
    expect(site.unreachable).toHaveLength(1)
  })

  it.each([
    ['cannot be reached', () => site.behind.close()],
    ['breaks off', () => (site.answer = ({ socket }) => socket.resetAndDestroy())],
  ])(
    'is answered 502, and the gateway goes on, where a registry %s in the middle of a body',
    async (_, fail) => {
      fail()

      const told = await site.say(
        'PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf',
      )

      expect(told).toMatch(/^HTTP\/1.1 502 [^]*UNAVAILABLE/)
      expect(site.unreachable).toEqual(['PUT'])
    },
  )

  it('is not sent round and round when local.url is the gateway itself', async () => {
    const port = await freePort()
    const itself = new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) })
    await using loop = await startFront(() => itself, site.unreachable, { port })

    expect((await fetch(`${loop.url}/v2/`)).status).toBe(508)
  })

  it('ends with a client whose body makes no progress, however long it goes on', async () => {
    let ended = false
    site.answer = (asked) => asked.resume().once('close', () => (ended = true))
    await using impatient = await startFront(() => site.local, site.unreachable, { stallMs: 300 })
    const client = connect(impatient.address.port, '127.0.0.1')
    client.write('PUT /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n')
    const trickle = setInterval(() => client.write('.'), 20)

    await closed(client)
    clearInterval(trickle)

    await eventually(() => ended, { describe: 'the registry to see the end' })
    expect(site.unreachable).toEqual([])
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
