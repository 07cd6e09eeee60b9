import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { eventually } from '../../support/eventually.ts'
import { startFront } from '../../support/network/gateway-front.ts'

const MIB = 1024 * 1024
// Nearly what a list of tags may have. A socket's own buffers hold less.
const TAGS = Array.from({ length: 600_000 }, (_, i) => `v${i}.0`)
const CLIENTS = 6
const MAX_UNREAD_BYTES = 16 * MIB

describe('clients that ask for a list of many tags', () => {
  const LONG = Buffer.from(JSON.stringify({ name: 'team/long', tags: [...TAGS, ...TAGS] }))
  let registry: ReturnType<typeof createServer>
  let local: LocalRegistry
  let front: HttpServer
  let sockets: Socket[]
  let responses: ServerResponse[]
  let listBytes: number

  beforeEach(async () => {
    sockets = []
    responses = []
    const list = Buffer.from(JSON.stringify({ name: 'team/app', tags: TAGS }))
    listBytes = list.length
    registry = createServer(({ url = '' }, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(url.startsWith('/v2/team/long/') ? LONG : list)
    }).listen(0, '127.0.0.1')
    await once(registry, 'listening')
    const { port } = registry.address() as AddressInfo
    local = new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) })
    front = await startFront(() => local, [], {
      maxUnreadBytes: MAX_UNREAD_BYTES,
      onRequest: (_request, response) => responses.push(response),
    })
  })

  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await front.stop(0)
    local[Symbol.dispose]()
    registry.closeAllConnections()
    registry.close()
  })

  async function ask(): Promise<Socket> {
    const socket = connect(front.address.port, '127.0.0.1')
    sockets.push(socket)
    // Cut by the server.
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.pause()
    socket.write('GET /v2/team/app/tags/list HTTP/1.1\r\nHost: registry\r\n\r\n')
    return socket
  }

  it('get one whole that is too long to be looked into', async () => {
    const read = await fetch(`${front.url}/v2/team/long/tags/list`)

    expect(Buffer.from(await read.arrayBuffer()).equals(LONG)).toBe(true)
  })

  it('and do not read it hold no more than all of them may, and keep nobody from reading it', async () => {
    expect(listBytes).toBeGreaterThan(5 * MIB)
    expect(listBytes).toBeLessThan(8 * MIB)

    await Promise.all(Array.from({ length: CLIENTS }, ask))

    await eventually(() => responses.length === CLIENTS && responses.every(isAnswered), {
      describe: 'all to be answered, or cut off',
    })
    await eventually(() => sum(responses.map(heldBy)) <= MAX_UNREAD_BYTES)
    expect(responses.filter(({ req }) => !req.socket.destroyed)).not.toEqual([])
    const read = await fetch(`${front.url}/v2/team/app/tags/list`)
    expect(((await read.json()) as { tags: readonly string[] }).tags).toHaveLength(TAGS.length)
  })
})

function heldBy({ req, writableLength }: ServerResponse): number {
  return req.socket.destroyed ? 0 : writableLength
}

function isAnswered(response: ServerResponse): boolean {
  return response.writableEnded || response.req.socket.destroyed
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0)
}
