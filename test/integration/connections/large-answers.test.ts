import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Answer } from '../../../src/http-client/answer.ts'
import { AnswerBody } from '../../../src/http-client/answer-body.ts'
import { Connections } from '../../../src/http-client/connections.ts'
import { dialer, placeOf } from '../../../src/http-client/dial.ts'
import { newBlocks, sameBlocksBeside } from '../../../src/http-client/memory.ts'
import { makeCertificate } from '../../support/network/certificate.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type RegistryInBytes,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

const BOUNDS = { idleMs: 10_000, keptMs: 10_000 }
const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const SIGNAL = new AbortController().signal
const BLOB = randomBytes(20_000_000)

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

async function ask(connections: Connections): Promise<Answer> {
  const asked = await connections.ask(HEAD, SIGNAL)
  if (asked instanceof Answer) return asked
  throw new Error(`unusual: ${String(asked.status)}`)
}

async function bodyOf(connections: Connections): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of new AnswerBody(await ask(connections))) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

describe('an answer over TLS', () => {
  let folder: TempFolder
  let server: Server
  let respond: (response: ServerResponse) => void
  let handshakes: boolean[]
  let connections: (memory?: typeof newBlocks) => Connections
  const opened: Connections[] = []

  beforeEach(async () => {
    folder = await tempFolder('tls')
    const files = await makeCertificate(folder.path)
    const [key, cert, ca] = await Promise.all(
      [files.keyFile, files.certFile, files.caFile].map((file) => readFile(file, 'utf8')),
    )
    handshakes = []
    server = createServer({ key, cert }, (_, response) => {
      respond(response)
    })
    server.on('secureConnection', (socket) => handshakes.push(socket.isSessionReused()))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const place = placeOf(new URL(`https://127.0.0.1:${port}`))
    connections = (memory = newBlocks) => {
      const dial = dialer(place, () => (ca === undefined ? {} : { ca }))
      const made = new Connections({ dial, bounds: BOUNDS, memory: () => memory })
      opened.push(made)
      return made
    }
  })

  afterEach(async () => {
    for (const each of opened.splice(0)) each[Symbol.dispose]()
    server.closeAllConnections()
    server.close()
    await folder[Symbol.asyncDispose]()
  })

  it.each([
    ['of a length', { 'content-length': BLOB.length }],
    ['in chunks', {}],
    ['that ends with its connection', { connection: 'close', 'transfer-encoding': 'identity' }],
  ])('%s arrives byte for byte, in pieces larger than records', async (_, headers) => {
    respond = (response) => {
      if ('transfer-encoding' in headers) response.useChunkedEncodingByDefault = false
      response.writeHead(200, 'transfer-encoding' in headers ? { connection: 'close' } : headers)
      response.end(BLOB)
    }
    const answer = await ask(connections())
    const body = new AnswerBody(answer)
    const lengths: number[] = []
    const hash = createHash('sha256')
    for await (const piece of body as AsyncIterable<Buffer>) {
      lengths.push(piece.length)
      hash.update(piece)
    }

    expect(hash.digest('hex')).toBe(sha256(BLOB))
    // One for each record of 16 KiB would be more than 1,200.
    expect(lengths.length).toBeLessThan(700)
  })

  it.each([0, 1_000])('can be read into the same memory, beside %i others', async (others) => {
    respond = (response) => {
      response.writeHead(200, { 'content-length': BLOB.length }).end(BLOB)
    }
    const hash = createHash('sha256')
    const seen = new Set<ArrayBufferLike>()
    for await (const piece of (await ask(connections(sameBlocksBeside(others)))).pieces()) {
      // Whoever is slow finds the bytes where they are, also when more have come.
      const copy = Buffer.from(piece)
      await new Promise((resolve) => setImmediate(resolve))
      expect(piece.equals(copy)).toBe(true)
      hash.update(piece)
      seen.add(piece.buffer)
    }

    expect(hash.digest('hex')).toBe(sha256(BLOB))
    expect(seen.size).toBeLessThanOrEqual(2)
  })

  it('comes by a connection that is used again, and another one continues the session', async () => {
    respond = (response) => {
      response.writeHead(200, { 'content-length': 4 }).end('good')
    }
    const all = connections()
    await bodyOf(all)
    await bodyOf(all)
    expect(handshakes).toEqual([false])

    await Promise.all([bodyOf(all), bodyOf(all)])
    expect(handshakes).toEqual([false, true])
  })

  it('is not asked of a server that another authority vouches for', async () => {
    respond = (response) => response.end()
    const { port } = server.address() as AddressInfo
    using strangers = new Connections({
      dial: dialer(placeOf(new URL(`https://127.0.0.1:${port}`))),
      bounds: BOUNDS,
      memory: () => newBlocks,
    })

    await expect(strangers.ask(HEAD, SIGNAL)).rejects.toThrow(/certificate/)
  })
})

describe('an answer', () => {
  let registry: RegistryInBytes
  let connections: Connections

  beforeEach(async () => {
    registry = await startRegistryInBytes(Buffer.alloc(0))
    const dial = dialer(placeOf(registry.url))
    connections = new Connections({ dial, bounds: BOUNDS, memory: () => newBlocks })
  })

  afterEach(() => {
    connections[Symbol.dispose]()
    registry[Symbol.dispose]()
  })

  it.each([
    ['before its length', 'Content-Length: 10\r\n\r\nabc'],
    ['within a chunk', 'Transfer-Encoding: chunked\r\n\r\nA\r\nabc'],
    ['before the last chunk', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('that ends %s fails', async (_, rest) => {
    registry.answer = (socket) => socket.end(`HTTP/1.1 200 OK\r\n${rest}`)

    await expect(bodyOf(connections)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  it('in chunks of a byte each comes in few pieces', async () => {
    const chunks = '1\r\na\r\n'.repeat(100_000)
    registry.answer = (socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`)
    const pieces: Buffer[] = []
    for await (const piece of (await ask(connections)).pieces()) pieces.push(piece)

    expect(Buffer.concat(pieces).equals(Buffer.alloc(100_000, 'a'))).toBe(true)
    expect(pieces.length).toBeLessThan(1_000)
  })

  it('whose chunks are malformed fails, and its connection is not used again', async () => {
    registry.answer = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnothing\r\n')

    await expect(bodyOf(connections)).rejects.toThrow('not in chunks as HTTP has them')
    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
  })

  it('that is longer than it says gives nothing to the next one', async () => {
    registry.answer = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n')

    expect((await bodyOf(connections)).toString()).toBe('abc')
    expect((await bodyOf(connections)).toString()).toBe('abc')
    expect(registry.asked.map(({ length }) => length)).toEqual([1, 1])
  })

  it('is unusual where it could be read in two ways', async () => {
    registry.answer = (socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      )

    expect(await connections.ask(HEAD, SIGNAL)).toEqual({ kind: 'unusual', status: 200 })
    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
  })

  it('that nobody wants any more ends with its connection', async () => {
    registry.answer = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    const body = new AnswerBody(await ask(connections))
    await once(body, 'readable')
    body.destroy()

    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
  })
})
