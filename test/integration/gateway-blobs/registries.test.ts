import { Agent } from 'node:http'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { BLOB, blobSite, type BlobSite } from './blob-site.ts'

const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n'

describe('a blob that passes through the gateway', () => {
  let site: BlobSite

  beforeEach(async () => {
    site = await blobSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

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
    site.behind.answer = answer
    const agent = new Agent({ keepAlive: true })

    await expect(site.pullWhole({}, agent)).rejects.toThrow()
    agent.destroy()
  })

  it.each([
    ['closes it', (socket: Socket) => socket.end()],
    ['resets it', (socket: Socket) => socket.resetAndDestroy()],
  ])('is asked for once more when the registry %s instead of an answer', async (_, close) => {
    await site.pullWhole()
    const good = site.behind.answer
    site.behind.answer = (socket) => {
      site.behind.answer = good
      close(socket)
    }

    expect((await site.pullWhole()).equals(BLOB)).toBe(true)
    expect(site.behind.asked.map(({ length }) => length)).toEqual([2, 1])
  })

  it('is not asked for a third time', async () => {
    await site.pullWhole()
    site.behind.answer = (socket) => socket.end()

    const answer = await site.pull()

    expect(answer.statusCode).toBe(502)
    expect(site.behind.asked.map(({ length }) => length)).toEqual([2, 1])
    expect(site.unreachable).toEqual(['GET'])
  })

  it.each([
    ['says so', 'Connection: close\r\n', ''],
    ['sends more than it said', '', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad'],
  ])('is the last on its connection where the registry %s', async (_, header, surplus) => {
    site.behind.answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${header}Content-Length: 4\r\n\r\ngood${surplus}`)
    }

    expect((await site.pullWhole()).toString()).toBe('good')
    await eventually(() => site.behind.open.size === 0, { describe: 'the connection to be closed' })
    expect((await site.pullWhole()).toString()).toBe('good')
    expect(site.behind.asked.map(({ length }) => length)).toEqual([1, 1])
  })

  it.each([
    ['200 OK', 'Content-Length: 0\r\n'],
    ['304 Not Modified', 'Content-Length: 3\r\n'],
  ])(
    'is the last on its connection where something follows a %s without a body',
    async (status, headers) => {
      site.behind.answer = (socket) =>
        socket.write(`HTTP/1.1 ${status}\r\n${headers}\r\nHTTP/1.1 200 OK\r\n`)

      expect((await site.pullWhole()).length).toBe(0)

      await eventually(() => site.behind.open.size === 0, {
        describe: 'the connection to be closed',
      })
    },
  )

  it('is the last on its connection where something follows later', async () => {
    await site.pullWhole()
    for (const socket of site.behind.open)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad')
    await eventually(() => site.behind.open.size === 0, { describe: 'the connection to be closed' })

    expect((await site.pullWhole()).equals(BLOB)).toBe(true)
  })

  it.each([
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n'],
    ['to the end of the connection', '\r\ngood'],
  ])('is sent %s, too, and then asked for in that way only', async (_, rest) => {
    site.behind.answer = (socket) => {
      socket.end(`HTTP/1.1 200 OK\r\n${rest}`)
    }

    expect((await site.pullWhole()).toString()).toBe('good')
    expect(site.behind.asked.flat()).toHaveLength(2)
    expect((await site.pullWhole()).toString()).toBe('good')
    expect(site.behind.asked.flat()).toHaveLength(3)
  })

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nbad!'],
    ['a length and chunks', `HTTP/1.1 200 OK\r\nContent-Length: 4\r\n${CHUNKED}`],
    ['a header without an end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}`],
    ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n\r\n'],
    ['nothing', ''],
  ])('is answered 502 where the registry sends %s', async (_, bytes) => {
    site.behind.answer = (socket) => {
      socket.end(bytes)
    }

    const answer = await site.pull()

    expect(answer.statusCode).toBe(502)
    expect(await text(answer)).toContain('UNAVAILABLE')
    expect(site.unreachable).toEqual(['GET'])
  })

  it.each([
    ['what TLS says to it', '\x15\x03\x03\x00\x02\x02\x46'],
    ['what is no HTTP', 'SSH-2.0-OpenSSH_9.2p1\r\n'],
    ['a control character', 'HTTP/1.1 200 OK\r\nX: \x01\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 4\r\n\r\ngood'],
  ])('is answered 502 at once where the registry sends %s and waits', async (_, bytes) => {
    site.behind.answer = (socket) => socket.write(bytes, 'latin1')

    const answer = await site.pull()

    expect(answer).toMatchObject({ statusCode: 502, statusMessage: 'Bad Gateway' })
    expect(await text(answer)).toContain('UNAVAILABLE')
    await eventually(() => site.behind.open.size === 0, {
      describe: 'the connections to be closed',
    })
  })

  it.each([
    ['404 Not Found', 'Content-Length: 4\r\n', 'none'],
    ['401 Unauthorized', 'Content-Length: 4\r\n', 'none'],
    ['307 Temporary Redirect', 'Location: http://store/x\r\nContent-Length: 0\r\n', ''],
    ['304 Not Modified', 'Content-Length: 3000000\r\n', ''],
    ['304 Not Modified', '', ''],
    ['200 OK', 'Content-Length: 0\r\n', ''],
  ])('that is none, but %s, is told so', async (status, headers, body) => {
    site.behind.answer = (socket) => socket.write(`HTTP/1.1 ${status}\r\n${headers}\r\n${body}`)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })

    const first = await site.pull({}, agent)
    expect(await text(first)).toBe(body)
    const second = await site.pull({}, agent)

    expect(`${first.statusCode} ${first.statusMessage}`).toBe(status)
    expect(first.headers.location).toBe(headers.includes('Location') ? 'http://store/x' : undefined)
    expect(second.statusCode).toBe(first.statusCode)
    expect(site.behind.asked.map(({ length }) => length)).toEqual([2])
    agent.destroy()
  })

  describe('from a registry that moves no byte', () => {
    beforeEach(() => {
      site.local[Symbol.dispose]()
      site.local = new LocalRegistry({ url: site.behind.url }, { idleMs: 300, keptMs: 10_000 })
    })

    it.each([
      ['its own connection', {}],
      ["Node's client", { expect: '100-continue' }],
    ])('is answered 502 in the end, over %s', async (_, headers) => {
      site.behind.answer = () => undefined

      const answer = await site.pull(headers)

      expect(answer.statusCode).toBe(502)
      await eventually(() => site.behind.open.size === 0, {
        describe: 'the connection to be closed',
      })
    })

    it('is cut in the end', async () => {
      site.behind.answer = (socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')

      await expect(site.pullWhole({}, new Agent({ keepAlive: true }))).rejects.toThrow()
      await eventually(() => site.behind.open.size === 0, {
        describe: 'the connection to be closed',
      })
    })

    it('comes whole where each byte is in time, also on a connection that has rested', async () => {
      await site.pullWhole()
      site.behind.answer = (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n')
        let sent = 0
        const ticking = setInterval(() => {
          socket.write('x')
          sent += 1
          if (sent === 8) clearInterval(ticking)
        }, 60)
      }

      expect((await site.pullWhole()).toString()).toBe('xxxxxxxx')
      expect(site.behind.asked).toHaveLength(1)
    })
  })
})
