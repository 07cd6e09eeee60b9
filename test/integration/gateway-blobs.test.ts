import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get, type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../src/http/server.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { eventually } from '../support/eventually.ts'
import { startFront } from '../support/gateway-front.ts'
import {
  type RegistryInBytes,
  sendBlob,
  startRegistryInBytes,
} from '../support/registry-in-bytes.ts'

const BLOB = randomBytes(3_000_000)
const PATH = `/v2/team/app/blobs/${digestOf(BLOB)}`

const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n'

describe('a blob that passes through the gateway', () => {
  let behind: RegistryInBytes
  let local: LocalRegistry
  let front: HttpServer
  let unreachable: string[]

  beforeEach(async () => {
    unreachable = []
    behind = await startRegistryInBytes(BLOB)
    local = new LocalRegistry({ url: behind.url })
    front = await startFront(() => local, unreachable)
  })

  afterEach(async () => {
    await front.stop(0)
    local[Symbol.dispose]()
    behind[Symbol.dispose]()
  })

  const pull = async (headers: Record<string, string> = {}, agent = new Agent()) => {
    const asking = get(`${front.url}${PATH}`, { headers, agent })
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    return answer
  }
  const pullWhole = async (headers?: Record<string, string>, agent?: Agent) =>
    await buffer(await pull(headers, agent))

  it('comes with the head and the bytes that the registry sent', async () => {
    behind.answer = (socket) => {
      socket.write('HTTP/1.1 206 Some Of It\r\nX-Two: 1\r\nContent-Le')
      // So that it is read by itself.
      setTimeout(() => {
        socket.write(`ngth: ${BLOB.length}\r\nX-Two: 2\r\nKeep-Alive: timeout=5\r\n\r\n`)
        socket.write(BLOB)
      }, 20)
    }

    const answer = await pull({ range: 'bytes=0-', 'if-none-match': '"e"' })

    expect(answer).toMatchObject({ statusCode: 206, statusMessage: 'Some Of It' })
    expect(answer.headersDistinct).toMatchObject({ 'x-two': ['1', '2'] })
    expect(answer.headers['content-length']).toBe(`${BLOB.length}`)
    expect(answer.headers['keep-alive']).not.toBe('timeout=5')
    expect((await buffer(answer)).equals(BLOB)).toBe(true)
    expect(answer.headers.date).toBeUndefined()
    const [head, ...others] = behind.asked.flat()
    expect(others).toEqual([])
    expect(head).toMatch(`GET ${PATH} HTTP/1.1\r\n`)
    expect(head).toMatch(/\r\nrange: bytes=0-\r\nif-none-match: "e"\r\n/)
    expect(head).toContain(`\r\nHost: ${new URL(front.url).host}\r\n`)
    expect(head).toMatch(/\r\nX-Forwarded-For: 127.0.0.1\r\n.*Via: 1.1 pullsync-/s)
  })

  it('takes the connection of the one before, on either side', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })

    for (let time = 0; time < 3; time += 1) {
      expect((await pullWhole({}, agent)).equals(BLOB)).toBe(true)
    }

    expect(behind.asked.map(({ length }) => length)).toEqual([3])
    agent.destroy()
  })

  it('comes in its turn where a client asks for the next before it has this one', async () => {
    let next = 0
    const blobs = [randomBytes(1_000_000), randomBytes(10), randomBytes(1_000_000)]
    behind.answer = (socket) => {
      sendBlob(socket, blobs[next++] ?? Buffer.alloc(0))
    }
    const client = connect(front.address.port, '127.0.0.1')
    client.write(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(2))
    client.write(`GET ${PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)

    const all = await buffer(client)

    for (const blob of blobs) {
      const at = all.indexOf(blob)
      expect(at).toBeGreaterThan(0)
      expect(all.subarray(at - 4, at).toString()).toBe('\r\n\r\n')
    }
    expect(all.indexOf(blobs[0] ?? '')).toBeLessThan(all.indexOf(blobs[2] ?? ''))
  })

  it('ends with the connection for a client of HTTP/1.0', async () => {
    const client = connect(front.address.port, '127.0.0.1')
    client.write(`GET ${PATH} HTTP/1.0\r\n\r\n`)

    const all = await buffer(client)

    expect(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(BLOB)).toBe(true)
  })

  it('is read no faster than the client takes it', async () => {
    const [piece, pieces] = [randomBytes(1024 * 1024), 64]
    let [sent, sentAt] = [0, Infinity]
    behind.answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`)
      const next = () => {
        if (sent === pieces) return
        ;[sent, sentAt] = [sent + 1, performance.now()]
        socket.write(piece, next)
      }
      next()
    }
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    const answer = await pull()
    answer.pause()

    await eventually(() => performance.now() - sentAt > 300, { describe: 'the registry to stop' })

    expect(sent).toBeLessThan(pieces / 2)
    const [expected, got] = [createHash('sha256'), createHash('sha256')]
    for (let at = 0; at < pieces; at += 1) expected.update(piece)
    for await (const bytes of answer as AsyncIterable<Buffer>) got.update(bytes)
    expect(got.digest('hex')).toBe(expected.digest('hex'))
    // Such as that one of the many pieces left something behind.
    process.off('warning', warned)
    expect(warnings).toEqual([])
  })

  it('ends at the registry when the client goes away, before the head and after it', async () => {
    behind.answer = () => undefined
    const waiting = request(`${front.url}${PATH}`).on('error', () => undefined)
    waiting.end()
    await eventually(() => behind.open.size === 1, { describe: 'the registry to be asked' })
    waiting.destroy()
    await eventually(() => behind.open.size === 0, { describe: 'the end at the registry' })

    behind.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    const answer = await pull()
    await once(answer, 'readable')
    expect(behind.open.size).toBe(1)
    answer.on('error', () => undefined).destroy()

    await eventually(() => behind.open.size === 0, { describe: 'the end at the registry' })
    expect(unreachable).toEqual([])
  })

  it('ends at the registry when the client goes away and had asked for another one', async () => {
    behind.answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BLOB.length}\r\n\r\nhalf`)
    }
    const client = connect(front.address.port, '127.0.0.1').on('error', () => undefined)
    client.write(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(2))
    await eventually(() => behind.asked.flat().length === 2, { describe: 'both to be asked for' })
    client.destroy()

    await eventually(() => behind.open.size === 0, { describe: 'the end at the registry' })
  })

  it('is not said to be unreachable when a client goes that had asked for two', async () => {
    behind.answer = () => undefined
    const client = connect(front.address.port, '127.0.0.1').on('error', () => undefined)
    client.write(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(2))
    await eventually(() => behind.asked.flat().length === 2, { describe: 'both to be asked for' })
    client.destroy()

    await eventually(() => behind.open.size === 0, { describe: 'the end at the registry' })
    behind.answer = (socket) => socket.end()
    expect((await pull()).statusCode).toBe(502)
    expect(unreachable).toEqual(['GET'])
  })

  it.each([
    ['ends', (socket: Socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')],
    [
      'is reset',
      (socket: Socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => {
          socket.resetAndDestroy()
        })
      },
    ],
  ])('is cut for the client where the registry %s in the middle', async (_, answer) => {
    behind.answer = answer
    const agent = new Agent({ keepAlive: true })

    await expect(pullWhole({}, agent)).rejects.toThrow()
    agent.destroy()
  })

  it.each([
    ['closes it', (socket: Socket) => socket.end()],
    ['resets it', (socket: Socket) => socket.resetAndDestroy()],
  ])('is asked for once more when the registry %s instead of an answer', async (_, close) => {
    await pullWhole()
    const good = behind.answer
    behind.answer = (socket) => {
      behind.answer = good
      close(socket)
    }

    expect((await pullWhole()).equals(BLOB)).toBe(true)
    expect(behind.asked.map(({ length }) => length)).toEqual([2, 1])
  })

  it('is not asked for a third time', async () => {
    await pullWhole()
    behind.answer = (socket) => socket.end()

    const answer = await pull()

    expect(answer.statusCode).toBe(502)
    expect(behind.asked.map(({ length }) => length)).toEqual([2, 1])
    expect(unreachable).toEqual(['GET'])
  })

  it.each([
    ['says so', 'Connection: close\r\n', ''],
    ['sends more than it said', '', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad'],
  ])('is the last on its connection where the registry %s', async (_, header, surplus) => {
    behind.answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${header}Content-Length: 4\r\n\r\ngood${surplus}`)
    }

    expect((await pullWhole()).toString()).toBe('good')
    await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })
    expect((await pullWhole()).toString()).toBe('good')
    expect(behind.asked.map(({ length }) => length)).toEqual([1, 1])
  })

  it.each([
    ['200 OK', 'Content-Length: 0\r\n'],
    ['304 Not Modified', 'Content-Length: 3\r\n'],
  ])(
    'is the last on its connection where something follows a %s without a body',
    async (status, headers) => {
      behind.answer = (socket) =>
        socket.write(`HTTP/1.1 ${status}\r\n${headers}\r\nHTTP/1.1 200 OK\r\n`)

      expect((await pullWhole()).length).toBe(0)

      await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })
    },
  )

  it('is the last on its connection where something follows later', async () => {
    await pullWhole()
    for (const socket of behind.open)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad')
    await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })

    expect((await pullWhole()).equals(BLOB)).toBe(true)
  })

  it.each([
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n'],
    ['to the end of the connection', '\r\ngood'],
  ])('is sent %s, too, and then asked for in that way only', async (_, rest) => {
    behind.answer = (socket) => {
      socket.end(`HTTP/1.1 200 OK\r\n${rest}`)
    }

    expect((await pullWhole()).toString()).toBe('good')
    expect(behind.asked.flat()).toHaveLength(2)
    expect((await pullWhole()).toString()).toBe('good')
    expect(behind.asked.flat()).toHaveLength(3)
  })

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nbad!'],
    ['a length and chunks', `HTTP/1.1 200 OK\r\nContent-Length: 4\r\n${CHUNKED}`],
    ['a header without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
    ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n\r\n'],
    ['nothing', ''],
  ])('is answered 502 where the registry sends %s', async (_, bytes) => {
    behind.answer = (socket) => {
      socket.end(bytes)
    }

    const answer = await pull()

    expect(answer.statusCode).toBe(502)
    expect(await text(answer)).toContain('UNAVAILABLE')
    expect(unreachable).toEqual(['GET'])
  })

  it.each([
    ['what TLS says to it', '\x15\x03\x03\x00\x02\x02\x46'],
    ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ['a control character', 'HTTP/1.1 200 OK\r\nX: \x01\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 4\r\n\r\ngood'],
  ])('is answered 502 at once where the registry sends %s and waits', async (_, bytes) => {
    behind.answer = (socket) => socket.write(bytes, 'latin1')

    const answer = await pull()

    expect(answer).toMatchObject({ statusCode: 502, statusMessage: 'Bad Gateway' })
    expect(await text(answer)).toContain('UNAVAILABLE')
    await eventually(() => behind.open.size === 0, { describe: 'the connections to be closed' })
  })

  it.each([
    ['404 Not Found', 'Content-Length: 4\r\n', 'none'],
    ['401 Unauthorized', 'Content-Length: 4\r\n', 'none'],
    ['307 Temporary Redirect', 'Location: http://store/x\r\nContent-Length: 0\r\n', ''],
    ['304 Not Modified', 'Content-Length: 3000000\r\n', ''],
    ['304 Not Modified', '', ''],
    ['200 OK', 'Content-Length: 0\r\n', ''],
  ])('that is none, but %s, is told so', async (status, headers, body) => {
    behind.answer = (socket) => socket.write(`HTTP/1.1 ${status}\r\n${headers}\r\n${body}`)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })

    const first = await pull({}, agent)
    expect(await text(first)).toBe(body)
    const second = await pull({}, agent)

    expect(`${first.statusCode} ${first.statusMessage}`).toBe(status)
    expect(first.headers.location).toBe(headers.includes('Location') ? 'http://store/x' : undefined)
    expect(second.statusCode).toBe(first.statusCode)
    expect(behind.asked.map(({ length }) => length)).toEqual([2])
    agent.destroy()
  })

  it('does not have the registry take the next request for its body', async () => {
    const asking = request(`${front.url}${PATH}`, { headers: { 'content-length': 5 } })
    asking.end('12345')
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]

    expect((await buffer(answer)).equals(BLOB)).toBe(true)
    expect(behind.asked.flat()[0]).not.toMatch(/content-length/i)
  })

  it('leaves its connection to others before its client goes', async () => {
    const client = new AbortController()
    behind.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood')
    const asked = { method: 'GET', path: PATH, headers: ['Host', 'a'] }
    const answer = await local.askForBlob(asked, client.signal)
    expect((await answer.keep()).body.toString()).toBe('good')

    const next = local.askForBlob(asked, new AbortController().signal)
    client.abort()

    expect((await (await next).keep()).body.toString()).toBe('good')
    expect(behind.asked.map(({ length }) => length)).toEqual([2])
  })

  it.each(['', 'none'])(
    'that is a 404 (%j) leaves nothing of a client that went meanwhile',
    async (body) => {
      const client = new AbortController()
      const good = behind.answer
      behind.answer = (socket) => {
        behind.answer = good
        socket.write(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      }
      const asked = { method: 'GET', path: PATH, headers: ['Host', 'a'] }
      const answer = await local.askForBlob(asked, client.signal)
      client.abort(new Error('the client went away'))
      await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })
      expect((await answer.keep()).body.toString()).toBe(body)

      expect((await pullWhole()).equals(BLOB)).toBe(true)
      expect(behind.asked.map(({ length }) => length)).toEqual([1, 1])
      expect(unreachable).toEqual([])
    },
  )

  describe('from a registry that moves no byte', () => {
    beforeEach(() => {
      local[Symbol.dispose]()
      local = new LocalRegistry({ url: behind.url }, { idleMs: 300, keptMs: 10_000 })
    })

    it.each([
      ['its own connection', {}],
      ["Node's client", { expect: '100-continue' }],
    ])('is answered 502 in the end, over %s', async (_, headers) => {
      behind.answer = () => undefined

      const answer = await pull(headers)

      expect(answer.statusCode).toBe(502)
      await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })
    })

    it('is cut in the end', async () => {
      behind.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')

      await expect(pullWhole({}, new Agent({ keepAlive: true }))).rejects.toThrow()
      await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })
    })

    it('comes whole where each byte is in time, also on a connection that has rested', async () => {
      await pullWhole()
      behind.answer = (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n')
        let sent = 0
        const ticking = setInterval(() => {
          socket.write('x')
          sent += 1
          if (sent === 8) clearInterval(ticking)
        }, 60)
      }

      expect((await pullWhole()).toString()).toBe('xxxxxxxx')
      expect(behind.asked).toHaveLength(1)
    })
  })

  it('leaves no connection behind when the registry is replaced by another', async () => {
    await pullWhole()
    expect(behind.open.size).toBe(1)

    local.retire()

    await eventually(() => behind.open.size === 0, { describe: 'the connection to be closed' })
    expect((await pullWhole()).equals(BLOB)).toBe(true)
    await eventually(() => behind.open.size === 0, { describe: 'the next one to be closed' })
  })
})
