import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../src/gateway/local-registry.ts'
import type { HttpServer } from '../../src/http/server.ts'
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
    behind = createServer((request, response) => {
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
      headers: { range: 'bytes=1-2', 'x-forwarded-proto': 'https', 'if-match': '"e"' },
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
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '127.0.0.1',
      'content-length': '5',
    })
  })

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
    const sending = request(`${front.url}/v2/x`, { method: 'POST' })
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
      const sending = request(`${front.url}/v2/x`, {
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
    const leaving = request(`${front.url}/v2/x`, { method: 'POST' })
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

    await expect(fetch(`${front.url}/v2/x`).then((r) => r.text())).rejects.toThrow()
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
    await using loop = await startFront(() => itself, unreachable, port)

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
        `${method} /v2/x HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host\r\n`,
      )
      client.write(`Content-Length: ${body.length}\r\n\r\n${body}`)

      expect(await text(client)).toMatch(/^HTTP\/1\.1 200 /)
      // On the connection of the one before, so after whatever else came on it.
      await fetch(`${front.url}/v2/y`)
      expect(seen).toEqual([`${method} /v2/x a`, `GET /v2/y ${new URL(front.url).host}`])
    },
  )

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
