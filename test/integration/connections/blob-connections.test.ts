import { randomBytes } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { networkInterfaces } from 'node:os'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type RegistryInBytes,
  sendBlob,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'

const BLOB = randomBytes(10_000)
const ASKED = { method: 'GET', path: '/v2/a/blobs/x', headers: ['Host', 'a'] }
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood'

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((each) => each?.address === '::1')

describe('the connections for blobs', () => {
  let registry: RegistryInBytes
  let local: LocalRegistry

  beforeEach(async () => {
    registry = await startRegistryInBytes(BLOB)
    local = new LocalRegistry({ url: registry.url })
  })

  afterEach(() => {
    local[Symbol.dispose]()
    registry[Symbol.dispose]()
  })

  const ask = async (from = local, signal = new AbortController().signal) =>
    await from.askForBlob(ASKED, signal)
  const askWhole = async (from = local) => (await (await ask(from)).keep()).body
  const requests = () => registry.asked.map(({ length }) => length)

  it('are asked under the path of the registry', async () => {
    using there = await startRegistryInBytes(BLOB, { path: '/registry/' })
    using below = new LocalRegistry({ url: there.url })

    expect((await askWhole(below)).equals(BLOB)).toBe(true)
    expect(there.asked.flat()).toEqual(['GET /registry/v2/a/blobs/x HTTP/1.1\r\nHost: a\r\n\r\n'])
  })

  it.skipIf(!hasIpv6)('lead to an address of IPv6', async () => {
    using there = await startRegistryInBytes(BLOB, { host: '::1' })
    using far = new LocalRegistry({ url: there.url })

    expect((await askWhole(far)).equals(BLOB)).toBe(true)
  })

  it('carry one request at a time', async () => {
    await askWhole()
    const both = await Promise.all([askWhole(), askWhole()])

    expect(both.every((blob) => blob.equals(BLOB))).toBe(true)
    expect(requests()).toEqual([2, 1])
  })

  it('listen to nobody who has got an answer, or none', async () => {
    const [client, other] = [new AbortController(), new AbortController()]
    await (await ask(local, client.signal)).keep()
    registry.answer = (socket) => socket.destroy()
    await expect(ask(local, client.signal)).rejects.toThrow()
    registry.answer = (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nno length')
    await (await ask(local, other.signal)).keep()

    expect(getEventListeners(client.signal, 'abort')).toEqual([])
    await eventually(() => getEventListeners(other.signal, 'abort').length === 0, {
      describe: 'nobody to listen',
    })
  })

  it('are kept up to a number', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(registry.open.size).toBe(20)
    for (const answer of all) await answer.keep()

    await eventually(() => registry.open.size === 16, { describe: 'four to be closed' })
    await Promise.all(Array.from({ length: 16 }, () => askWhole()))
    expect(registry.asked).toHaveLength(20)
  })

  it('are kept for a while, within which an answer may take longer', async () => {
    using impatient = new LocalRegistry({ url: registry.url }, { idleMs: 30_000, keptMs: 200 })
    await askWhole(impatient)
    registry.answer = (socket) => setTimeout(() => socket.write(GOOD), 400)
    expect((await askWhole(impatient)).toString()).toBe('good')
    expect(requests()).toEqual([2])

    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
  })

  it('are not opened for a client that went before', async () => {
    const gone = AbortSignal.abort(new Error('the client went away'))

    await expect(ask(local, gone)).rejects.toThrow('the client went away')
    expect(registry.asked).toEqual([])
    await askWhole()
    await expect(ask(local, gone)).rejects.toThrow('the client went away')
    await askWhole()
    expect(requests()).toEqual([2])
  })

  it('give what waits for its turn in memory of its own', async () => {
    registry.answer = (socket) => {
      socket.write(`HTTP/1.1 404 Not Found\r\nContent-Length: 300\r\n\r\n${'a'.repeat(100)}`)
    }
    const answer = await ask()
    const [socket] = registry.open
    socket?.write('b'.repeat(200))

    expect((await answer.keep()).body.toString()).toBe('a'.repeat(100) + 'b'.repeat(200))
  })

  it('are used after an error of another form', async () => {
    registry.answer = (socket) => {
      socket.end('HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n')
    }
    expect((await ask()).status).toBe(503)
    registry.answer = (socket) => {
      sendBlob(socket, BLOB)
    }
    await askWhole()

    // Node's client says that it would keep the connection.
    expect(registry.asked.flat().at(-1)).not.toMatch(/\r\nConnection:/)
  })

  it('bring what is under way when the registry is replaced by another', async () => {
    registry.answer = (socket) =>
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\naaaa')
    const answer = await ask()
    local.retire()
    const [socket] = registry.open
    socket?.write('bbbb')

    expect((await answer.keep()).body.toString()).toBe('aaaabbbb')
    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
  })

  it('end with the process, whatever is under way', async () => {
    registry.answer = (socket) =>
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\naaaa')
    const answer = await ask()

    local[Symbol.dispose]()

    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
    await expect(answer.keep()).rejects.toThrow('the registry closed the connection')
  })
})
