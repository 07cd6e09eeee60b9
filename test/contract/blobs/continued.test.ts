import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import type { Registry } from '../../../src/registry/registry.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../../support/registry/scripted-registry.ts'
import {
  bytesOf,
  configFor,
  failureOf,
  open,
  randomBlob,
  repository,
  SIGNAL,
} from '../contract-content.ts'

const { bytes, descriptor } = randomBlob(300_000)
const BLOBS = { method: 'GET', path: /\/blobs\/sha256:/ }

describe('a blob whose body breaks', () => {
  let upstream: ScriptedRegistry
  let client: Registry
  const ranges: (string | undefined)[] = []

  beforeEach(async () => {
    upstream = await startScriptedRegistry()
    client = open(configFor(upstream.url, { id: 'hq' }))
    ranges.length = 0
  })

  afterEach(async () => {
    await client[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  /** Sends `count` bytes of what was asked for, then cuts the connection. */
  function cutAfter(count: number, contentRange = (from: number) => rangeFrom(from)) {
    upstream.script(BLOBS, ({ request, response }: Turn) => {
      ranges.push(request.headers.range)
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
      const headers = { 'content-length': bytes.length - from }
      response.writeHead(
        from > 0 ? 206 : 200,
        from > 0 ? { ...headers, 'content-range': contentRange(from) } : headers,
      )
      const until = Math.min(bytes.length, from + count)
      response.write(bytes.subarray(from, until), () => {
        if (until === bytes.length) response.end()
        else response.destroy()
      })
    })
  }

  function rangeFrom(from: number): string {
    return `bytes ${from}-${bytes.length - 1}/${bytes.length}`
  }

  async function read(): Promise<Buffer> {
    const source = client.repository(repository('team/app'))
    return await bytesOf(await source.getBlob(descriptor, SIGNAL))
  }

  it('is continued from where it broke, as often as it takes', async () => {
    cutAfter(100_000)

    expect(digestOf(await read())).toBe(descriptor.digest)
    expect(ranges[0]).toBeUndefined()
    expect(ranges.length).toBeGreaterThan(2)
    expect(ranges.slice(1).every((range) => range?.startsWith('bytes='))).toBe(true)
  })

  it('is not asked for again and again for the sake of a few bytes each time', async () => {
    cutAfter(1_000)

    expect(await failureOf(read())).toMatchObject({ disposition: 'transient', registry: 'hq' })
    expect(ranges).toHaveLength(3)
  })

  it('is read again up to there where the registry does not know ranges', async () => {
    let asked = 0
    upstream.script(BLOBS, ({ response }: Turn) => {
      asked += 1
      response.writeHead(200, { 'content-length': bytes.length })
      if (asked > 1) response.end(bytes)
      else response.write(bytes.subarray(0, 100_000), () => response.destroy())
    })

    expect(digestOf(await read())).toBe(descriptor.digest)
    expect(asked).toBe(2)
  })

  it('is read again up to there where the registry refuses ranges', async () => {
    const asked: (string | undefined)[] = []
    upstream.script(BLOBS, ({ request, response }: Turn) => {
      asked.push(request.headers.range)
      if (request.headers.range !== undefined) {
        response.writeHead(416).end()
        return
      }
      response.writeHead(200, { 'content-length': bytes.length })
      if (asked.length > 1) response.end(bytes)
      else response.write(bytes.subarray(0, 100_000), () => response.destroy())
    })

    expect(digestOf(await read())).toBe(descriptor.digest)
    expect(asked).toEqual([undefined, expect.stringMatching(/^bytes=/), undefined])
  })

  it.each([
    ['another part', (from: number) => `bytes ${from + 1}-${bytes.length - 1}/${bytes.length}`],
    [
      'a part of another size',
      (from: number) => `bytes ${from}-${bytes.length}/${bytes.length + 1}`,
    ],
    ['less than the rest', (from: number) => `bytes ${from}-${bytes.length - 2}/${bytes.length}`],
    ['nobody knows what', () => 'bytes'],
  ])('is never continued with %s', async (_, contentRange) => {
    cutAfter(100_000, contentRange)

    const failure = await failureOf(read())

    expect(failure).toMatchObject({ disposition: 'transient', registry: 'hq' })
    expect(String(failure)).toMatch(/expected the range/)
  })

  it('is asked of the registry again where an object store broke off, which is told nothing', async () => {
    await using store = await startScriptedRegistry()
    const login = { username: 'robot', password: 'very-secret' }
    const account = `Basic ${Buffer.from('robot:very-secret').toString('base64')}`
    await using reader = open(configFor(upstream.url, { id: 'hq', ...login }))
    let links = 0
    upstream.script(BLOBS, ({ request, response }: Turn) => {
      if (request.headers.authorization !== account) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
        return
      }
      links += 1
      response.writeHead(307, { location: `${store.url}/blob?signature=${links}` }).end()
    })
    store.script({}, ({ request, response }: Turn) => {
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
      const rest = bytes.subarray(from)
      const range = from > 0 ? { 'content-range': rangeFrom(from) } : {}
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': rest.length, ...range })
      if (from > 0) response.end(rest)
      else response.write(rest.subarray(0, 100_000), () => response.destroy())
    })

    const source = reader.repository(repository('team/app'))
    const read = await bytesOf(await source.getBlob(descriptor, SIGNAL))

    expect(digestOf(read)).toBe(descriptor.digest)
    // A signed link may have expired meanwhile: each request gets a new one.
    expect(store.requests.map(({ path }) => path)).toEqual([
      '/blob?signature=1',
      '/blob?signature=2',
    ])
    expect(store.requests.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      undefined,
    ])
  })

  it('is given up when no more bytes come, try after try', async () => {
    let asked = 0
    upstream.script(BLOBS, ({ response }: Turn) => {
      asked += 1
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(0, 10), () => response.destroy())
    })

    expect(await failureOf(read())).toMatchObject({ disposition: 'transient', registry: 'hq' })
    expect(asked).toBe(3)
  })
})
