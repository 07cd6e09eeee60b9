import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { eventually } from '../../support/eventually.ts'
import { startFront } from '../../support/network/gateway-front.ts'
import {
  type RegistryInBytes,
  sendBlob,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'

const ASKED = { method: 'GET', path: '/v2/a/manifests/x', headers: ['Host', 'a'] }
const UNASKED = 'HTTP/1.1 299 Unasked\r\nContent-Length: 4\r\n\r\nevil'

describe('a kept connection to the registry', () => {
  let registry: RegistryInBytes
  let local: LocalRegistry

  beforeEach(async () => {
    registry = await startRegistryInBytes(Buffer.from('good'))
    local = new LocalRegistry({ url: registry.url })
  })

  afterEach(() => {
    local[Symbol.dispose]()
    registry[Symbol.dispose]()
  })

  async function askWhole(): Promise<string> {
    const answer = await local.ask(ASKED)
    let text = ''
    for await (const piece of answer as AsyncIterable<Buffer>) text += piece.toString('latin1')
    return text
  }
  const requests = () => registry.asked.map(({ length }) => length)

  it('is used again when nothing came on it', async () => {
    await askWhole()
    await eventually(async () => (await askWhole()) === 'good' && requests().includes(2), {
      describe: 'a second request on one connection',
    })
  })

  it.each([
    ['another answer', UNASKED],
    ['the beginning of an answer', UNASKED.slice(0, 20)],
    ['a line end', '\r\n'],
  ])('is not used again after %s that nobody had asked for', async (_, unasked) => {
    expect(await askWhole()).toBe('good')
    const [socket] = registry.open
    const closed = socket && once(socket, 'close')
    socket?.write(unasked)
    await closed

    expect(await askWhole()).toBe('good')
    expect(requests()).toEqual([1, 1])
  })

  it('is closed when nobody has used it for a while, also after the registry was configured anew', async () => {
    using before = new LocalRegistry({ url: registry.url }, { idleMs: 30_000, keptMs: 200 })
    const pending = before.ask(ASKED)
    await eventually(() => registry.asked.length === 1)
    before.retire()
    const answer = await pending
    answer.resume()
    await once(answer, 'end')

    await eventually(() => registry.open.size === 0, { describe: 'it to be closed' })
  })
})

describe('a connection that the registry ends as it is used again', () => {
  let registry: RegistryInBytes
  let local: LocalRegistry
  let front: HttpServer
  const unreachable: string[] = []

  beforeEach(async () => {
    registry = await startRegistryInBytes(Buffer.from('good'))
    local = new LocalRegistry({ url: registry.url })
    front = await startFront(() => local, unreachable)
  })

  afterEach(async () => {
    await front.stop(0)
    local[Symbol.dispose]()
    registry[Symbol.dispose]()
  })

  it.each([
    ['GET', '/v2/'],
    ['GET', '/v2/_catalog'],
    ['HEAD', '/v2/a/tags/list'],
    ['GET', '/v2/a/blobs/uploads/1'],
    ['POST', '/v2/a/blobs/uploads/'],
    ['PATCH', '/v2/a/blobs/uploads/1'],
    ['PUT', '/v2/a/manifests/1'],
    ['DELETE', '/v2/a/manifests/1'],
  ])('keeps no client from its %s of %s', async (method, path) => {
    await (await fetch(`${front.url}/v2/`)).text()
    const [first] = registry.open
    registry.answer = (socket) => {
      if (socket === first) socket.destroy()
      else sendBlob(socket, Buffer.from('good'))
    }

    expect((await fetch(front.url + path, { method })).status).toBe(200)
    expect(unreachable).toEqual([])
  })
})
