import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../src/gateway/local/local-registry.ts'
import { eventually } from '../support/eventually.ts'
import { type RegistryInBytes, startRegistryInBytes } from '../support/registry-in-bytes.ts'

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
})
