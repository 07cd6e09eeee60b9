import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { sendBlob } from '../../support/registry/registry-in-bytes.ts'
import { BLOB, blobSite, type BlobSite, PATH } from './blob-site.ts'

describe('a blob that passes through the gateway', () => {
  let site: BlobSite

  beforeEach(async () => {
    site = await blobSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('comes with the head and the bytes that the registry sent', async () => {
    site.behind.answer = (socket) => {
      socket.write('HTTP/1.1 206 Some Of It\r\nX-Two: 1\r\nContent-Le')
      // So that it is read by itself.
      setTimeout(() => {
        socket.write(`ngth: ${BLOB.length}\r\nX-Two: 2\r\nKeep-Alive: timeout=5\r\n\r\n`)
        socket.write(BLOB)
      }, 20)
    }

    const answer = await site.pull({ range: 'bytes=0-', 'if-none-match': '"e"' })

    expect(answer).toMatchObject({ statusCode: 206, statusMessage: 'Some Of It' })
    expect(answer.headersDistinct).toMatchObject({ 'x-two': ['1', '2'] })
    expect(answer.headers['content-length']).toBe(`${BLOB.length}`)
    expect(answer.headers['keep-alive']).not.toBe('timeout=5')
    expect((await buffer(answer)).equals(BLOB)).toBe(true)
    expect(answer.headers.date).toBeUndefined()
    const [head, ...others] = site.behind.asked.flat()
    expect(others).toEqual([])
    expect(head).toMatch(`GET ${PATH} HTTP/1.1\r\n`)
    expect(head).toMatch(/\r\nrange: bytes=0-\r\nif-none-match: "e"\r\n/)
    expect(head).toContain(`\r\nHost: ${new URL(site.front.url).host}\r\n`)
    expect(head).toMatch(/\r\nX-Forwarded-For: 127.0.0.1\r\n.*Via: 1.1 pullsync-/s)
  })

  it('takes the connection of the one before, on either side', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })

    for (let time = 0; time < 3; time += 1) {
      expect((await site.pullWhole({}, agent)).equals(BLOB)).toBe(true)
    }

    expect(site.behind.asked.map(({ length }) => length)).toEqual([3])
    agent.destroy()
  })

  it('comes in its turn where a client asks for the next before it has this one', async () => {
    let next = 0
    const blobs = [randomBytes(1_000_000), randomBytes(10), randomBytes(1_000_000)]
    site.behind.answer = (socket) => {
      sendBlob(socket, blobs[next++] ?? Buffer.alloc(0))
    }
    const client = connect(site.front.address.port, '127.0.0.1')
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
    const client = connect(site.front.address.port, '127.0.0.1')
    client.write(`GET ${PATH} HTTP/1.0\r\n\r\n`)

    const all = await buffer(client)

    expect(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(BLOB)).toBe(true)
  })

  it('is read no faster than the client takes it', async () => {
    const [piece, pieces] = [randomBytes(1024 * 1024), 64]
    let [sent, sentAt] = [0, Infinity]
    site.behind.answer = (socket) => {
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
    const answer = await site.pull()
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
    site.behind.answer = () => undefined
    const waiting = request(`${site.front.url}${PATH}`).on('error', () => undefined)
    waiting.end()
    await eventually(() => site.behind.open.size === 1, { describe: 'the registry to be asked' })
    waiting.destroy()
    await eventually(() => site.behind.open.size === 0, { describe: 'the end at the registry' })

    site.behind.answer = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    const answer = await site.pull()
    await once(answer, 'readable')
    expect(site.behind.open.size).toBe(1)
    answer.on('error', () => undefined).destroy()

    await eventually(() => site.behind.open.size === 0, { describe: 'the end at the registry' })
    expect(site.unreachable).toEqual([])
  })

  it('ends at the registry when the client goes away and had asked for another one', async () => {
    site.behind.answer = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BLOB.length}\r\n\r\nhalf`)
    }
    const client = connect(site.front.address.port, '127.0.0.1').on('error', () => undefined)
    client.write(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(2))
    await eventually(() => site.behind.asked.flat().length === 2, {
      describe: 'both to be asked for',
    })
    client.destroy()

    await eventually(() => site.behind.open.size === 0, { describe: 'the end at the registry' })
  })

  it('is not said to be unreachable when a client goes that had asked for two', async () => {
    site.behind.answer = () => undefined
    const client = connect(site.front.address.port, '127.0.0.1').on('error', () => undefined)
    client.write(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(2))
    await eventually(() => site.behind.asked.flat().length === 2, {
      describe: 'both to be asked for',
    })
    client.destroy()

    await eventually(() => site.behind.open.size === 0, { describe: 'the end at the registry' })
    site.behind.answer = (socket) => socket.end()
    expect((await site.pull()).statusCode).toBe(502)
    expect(site.unreachable).toEqual(['GET'])
  })

  it('does not have the registry take the next request for its body', async () => {
    const asking = request(`${site.front.url}${PATH}`, { headers: { 'content-length': 5 } })
    asking.end('12345')
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]

    expect((await buffer(answer)).equals(BLOB)).toBe(true)
    expect(site.behind.asked.flat()[0]).not.toMatch(/content-length/i)
  })

  it('leaves its connection to others before its client goes', async () => {
    const client = new AbortController()
    site.behind.answer = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood')
    const asked = { method: 'GET', path: PATH, headers: ['Host', 'a'] }
    const answer = await site.local.askForBlob(asked, client.signal)
    expect((await answer.keep()).body.toString()).toBe('good')

    const next = site.local.askForBlob(asked, new AbortController().signal)
    client.abort()

    expect((await (await next).keep()).body.toString()).toBe('good')
    expect(site.behind.asked.map(({ length }) => length)).toEqual([2])
  })

  it.each(['', 'none'])(
    'that is a 404 (%j) leaves nothing of a client that went meanwhile',
    async (body) => {
      const client = new AbortController()
      const good = site.behind.answer
      site.behind.answer = (socket) => {
        site.behind.answer = good
        socket.write(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      }
      const asked = { method: 'GET', path: PATH, headers: ['Host', 'a'] }
      const answer = await site.local.askForBlob(asked, client.signal)
      client.abort(new Error('the client went away'))
      await eventually(() => site.behind.open.size === 0, {
        describe: 'the connection to be closed',
      })
      expect((await answer.keep()).body.toString()).toBe(body)

      expect((await site.pullWhole()).equals(BLOB)).toBe(true)
      expect(site.behind.asked.map(({ length }) => length)).toEqual([1, 1])
      expect(site.unreachable).toEqual([])
    },
  )

  it('leaves no connection behind when the registry is replaced by another', async () => {
    await site.pullWhole()
    expect(site.behind.open.size).toBe(1)

    site.local.retire()

    await eventually(() => site.behind.open.size === 0, { describe: 'the connection to be closed' })
    expect((await site.pullWhole()).equals(BLOB)).toBe(true)
    await eventually(() => site.behind.open.size === 0, { describe: 'the next one to be closed' })
  })
})
