import { getEventListeners } from 'node:events'
import { readFile } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Answer } from '../../../src/http-client/answer.ts'
import { Connections, type PlainRequest } from '../../../src/http-client/connections.ts'
import { dialer, placeOf } from '../../../src/http-client/dial.ts'
import { smallBlocks } from '../../../src/http-client/memory.ts'
import { plainHead } from '../../../src/http-client/request-head.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Repository } from '../../../src/oci/reference.ts'
import { openRegistry, type Registry } from '../../../src/registry/registry.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type RegistryInBytes,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'

const BOUNDS = { idleMs: 10_000, keptMs: 10_000 }
const SIGNAL = new AbortController().signal
const NONE = 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
// RFC 9112, section 4, wants a space after the status, where nothing follows, too.
const SPACELESS = 'HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n'
const DIGEST = digestOf(Buffer.from('blob'))
const BLOB = { digest: DIGEST, size: 4, mediaType: 'application/octet-stream' }

let server: RegistryInBytes

beforeEach(async () => {
  server = await startRegistryInBytes(Buffer.alloc(0))
})

afterEach(() => {
  server[Symbol.dispose]()
})

function requestsOf(): readonly string[] {
  return server.asked.flat().map((head) => head.slice(0, head.indexOf(' ')))
}

describe('a request that is sent whole', () => {
  let connections: Connections

  beforeEach(() => {
    const dial = dialer(placeOf(server.url))
    connections = new Connections({ dial, bounds: BOUNDS, memory: () => smallBlocks })
  })

  afterEach(() => {
    connections[Symbol.dispose]()
  })

  const ask = async (method: string, body?: Buffer): Promise<Answer> => {
    const head = plainHead(method, '/v2/', ['host', 'a'], body?.length) ?? ''
    const request: PlainRequest = { method, head, ...(body && { body }) }
    const answer = await connections.ask(request, SIGNAL)
    if (answer instanceof Answer) return answer
    throw new Error(`unusual: ${String(answer.status)}`)
  }

  it('has its answer with its head where that is small, and its connection is used again', async () => {
    server.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood')
    const first = (await ask('GET')).whole()
    server.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    const second = (await ask('GET')).whole()

    expect([first?.toString(), second?.toString()]).toEqual(['good', 'evil'])
    expect(server.asked).toHaveLength(1)
  })

  it('expects no body of the answer to a HEAD, whatever that announces', async () => {
    server.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n')

    expect((await ask('HEAD')).whole()).toEqual(Buffer.alloc(0))
    expect((await ask('HEAD')).whole()).toEqual(Buffer.alloc(0))
    expect(server.asked).toHaveLength(1)
  })

  it('takes what comes after the answer to a HEAD for no answer', async () => {
    server.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')

    expect((await ask('HEAD')).whole()).toBeUndefined()
  })

  it.each([
    ['PUT', Buffer.from('body')],
    ['POST', Buffer.alloc(0)],
    ['DELETE', undefined],
  ])('by %s is not sent twice by itself', async (method, body) => {
    server.answer = (socket) => socket.write(NONE)
    ;(await ask('GET')).whole()
    server.answer = (socket) => socket.destroy()

    await expect(ask(method, body)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect(requestsOf()).toEqual(['GET', method])
  })

  it.each(['GET', 'HEAD'])(
    'by %s is sent again where its connection was closed',
    async (method) => {
      server.answer = (socket) => socket.write(NONE)
      ;(await ask('GET')).whole()
      server.answer = (socket) => {
        server.answer = (again) => again.write(NONE)
        socket.destroy()
      }

      expect((await ask(method)).head.status).toBe(404)
      expect(requestsOf()).toEqual(['GET', method, method])
    },
  )

  it.each([
    [
      'at once',
      ['HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + NONE],
    ],
    ['one by one', ['HTTP/1.1 100 Conti', 'nue\r\n\r\n', 'HTTP/1.1 102 Processing\r\n\r\n', NONE]],
  ])('has its answer after others that announce it, %s', async (_, parts) => {
    server.answer = (socket) => {
      const next = () => {
        const part = parts.shift()
        if (part !== undefined) socket.write(part, () => setImmediate(next))
      }
      next()
    }

    expect((await ask('PUT', Buffer.from('body'))).head.status).toBe(404)
  })

  it('does not wait out announcements without an end', async () => {
    const announced = 'HTTP/1.1 102 Processing\r\n\r\n'
    server.answer = (socket) => socket.write(announced.repeat(1_000) + NONE)

    await expect(ask('PUT', Buffer.from('body'))).rejects.toThrow('unusual')
  })

  it.each([
    [1, 2],
    [60, 1],
  ])('uses no connection again that the server lets go of in %i s', async (seconds, opened) => {
    const kept = `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}, max=9\r\n`
    server.answer = (socket) =>
      socket.write(`HTTP/1.1 404 Not Found\r\n${kept}Content-Length: 0\r\n\r\n`)
    ;(await ask('PUT', Buffer.from('body'))).whole()
    ;(await ask('PUT', Buffer.from('body'))).whole()

    expect(server.asked).toHaveLength(opened)
  })

  it.skipIf(process.platform !== 'linux')(
    'has a connection that shows that it is alive',
    async () => {
      server.answer = () => undefined
      const asking = ask('PUT', Buffer.from('body')).catch(() => undefined)
      await eventually(() => server.asked.length === 1, { describe: 'a request' })
      const [{ remotePort = 0 } = {}] = server.open
      const port = `:${remotePort.toString(16).toUpperCase().padStart(4, '0')}`
      const lines = (await readFile('/proc/self/net/tcp', 'utf8')).split('\n')
      const ours = lines
        .map((line) => line.trim().split(/\s+/))
        .find(([, at]) => at?.endsWith(port))

      // The timer of a connection that waits for its keepalive: Documentation/networking/proc_net_tcp.rst.
      expect(ours?.[5]?.slice(0, 2)).toBe('02')
      server.answer = (socket) => socket.destroy()
      for (const socket of server.open) socket.destroy()
      await asking
    },
  )

  it('waits where there are as many connections as there may be', async () => {
    const dial = dialer(placeOf(server.url))
    const memory = () => smallBlocks
    using few = new Connections({ dial, bounds: BOUNDS, memory, maxOpen: 2 })
    const held: (() => void)[] = []
    server.answer = (socket) => held.push(() => socket.write(NONE))
    const request = { method: 'GET', head: plainHead('GET', '/v2/', ['host', 'a']) ?? '' }
    const { signal: staying } = new AbortController()
    const askFew = async (signal = staying) => {
      const answer = await few.ask(request, signal)
      return answer instanceof Answer ? answer.whole()?.length : undefined
    }
    const leaving = new AbortController()
    const four = [askFew(), askFew(), askFew(), askFew()]
    const left = askFew(leaving.signal)
    await eventually(() => held.length === 2, { describe: 'two requests' })
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    expect(server.asked).toHaveLength(2)
    server.answer = (socket) => socket.write(NONE)
    for (const answer of held) answer()

    expect(await Promise.all(four)).toEqual([0, 0, 0, 0])
    expect(server.asked).toHaveLength(2)
    expect(getEventListeners(staying, 'abort')).toEqual([])
  })

  it('reads into memory that is chosen by how many connections there are', async () => {
    const others: number[] = []
    using some = new Connections({
      ...{ dial: dialer(placeOf(server.url)), bounds: BOUNDS },
      memory: (open) => {
        others.push(open)
        return smallBlocks
      },
    })
    server.answer = (socket) => socket.write(NONE)
    const head = plainHead('GET', '/v2/', ['host', 'a']) ?? ''
    await Promise.all([some.ask(head, SIGNAL), some.ask(head, SIGNAL), some.ask(head, SIGNAL)])

    expect(others).toEqual([0, 1, 2])
  })

  it('ends where the connections are closed while it waits for one', async () => {
    const dial = dialer(placeOf(server.url))
    const few = new Connections({ dial, bounds: BOUNDS, memory: () => smallBlocks, maxOpen: 1 })
    server.answer = () => undefined
    const head = plainHead('GET', '/v2/', ['host', 'a']) ?? ''
    const both = [few.ask(head, SIGNAL), few.ask(head, SIGNAL)]
    await eventually(() => server.asked.length === 1, { describe: 'a request' })
    few[Symbol.dispose]()

    for (const asked of both) await expect(asked).rejects.toThrow('closed')
    expect(server.asked).toHaveLength(1)
  })

  it('keeps no connection that did not take all of it before it answered', async () => {
    server.answer = (socket) => {
      socket.pause()
      socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n')
    }
    const answer = await ask('PUT', Buffer.alloc(64 * 1024 * 1024))

    expect(answer.head.status).toBe(413)
    expect(answer.whole()).toEqual(Buffer.alloc(0))
    await ask('GET')
    expect(server.asked).toHaveLength(2)
  })
})

describe('a server whose answers only the general client reads', () => {
  let registry: Registry

  beforeEach(() => {
    registry = openRegistry(
      { id: 'local', url: server.url, trustedHosts: [] },
      { userAgent: 'test', requestRetries: { tries: 1 } },
    )
  })

  afterEach(async () => {
    await registry[Symbol.asyncDispose]()
  })

  it('is asked once more by that one, and then by that one alone', async () => {
    server.answer = (socket) => socket.end(SPACELESS)
    const repository = registry.repository('team/app' as Repository)

    expect(await repository.hasBlob(DIGEST, SIGNAL)).toBe(false)
    expect(requestsOf()).toEqual(['HEAD', 'HEAD'])
    expect(await repository.hasBlob(DIGEST, SIGNAL)).toBe(false)
    expect(requestsOf()).toEqual(['HEAD', 'HEAD', 'HEAD'])
  })

  it('is asked once for what is large, after the first time', async () => {
    server.answer = (socket) => socket.write('HTTP/1.1 200\r\nContent-Length: 4\r\n\r\nblob')
    const repository = registry.repository('team/app' as Repository)
    const getBlob = async () => {
      const body = await repository.getBlob(BLOB, SIGNAL)
      return (await buffer(body)).toString()
    }

    expect([await getBlob(), await getBlob(), await getBlob()]).toEqual(['blob', 'blob', 'blob'])
    expect(requestsOf()).toEqual(['GET', 'GET', 'GET', 'GET'])
  })

  it('is not sent a second time what may have done something', async () => {
    server.answer = (socket) => socket.end(SPACELESS)
    const repository = registry.repository('team/app' as Repository)

    await expect(repository.mountBlob(DIGEST, repository.repository, SIGNAL)).rejects.toThrow(
      'the answer was not plain HTTP/1.1',
    )
    expect(requestsOf()).toEqual(['POST'])
    expect(await repository.mountBlob(DIGEST, repository.repository, SIGNAL)).toBe(false)
    expect(requestsOf()).toEqual(['POST', 'POST'])
  })
})
