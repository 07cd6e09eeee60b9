import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { eventually } from '../../support/eventually.ts'
import { configFor, open } from '../contract-content.ts'
import {
  type Asked,
  bytes,
  descriptor,
  give,
  KIB,
  limitedServer,
  type LimitedServer,
  LIMITS,
  PARTS,
} from './limited-server.ts'

describe('a large blob from a server that limits each connection', () => {
  let server: LimitedServer

  beforeEach(async () => {
    server = await limitedServer()
  })

  afterEach(() => server[Symbol.asyncDispose]())

  it('comes over four connections, each byte once, in whatever order they are answered', async () => {
    const waiting: Asked[] = []
    let given = 0
    server.answerWith((asked, at) => {
      if (at === 0) {
        give(asked)
        return
      }
      waiting.push(asked)
      // Fewer at a time, and nobody gets anything.
      if (waiting.length < 4 && given + waiting.length < PARTS) return
      given += waiting.length
      for (const each of waiting.splice(0).reverse()) give(each)
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(server.ranges).toHaveLength(1 + PARTS)
    expect(server.sent()).toBe(bytes.length)
    expect(server.taken).toBe(0)
  })

  it('comes over one where there is no slot for another, and is looked at again', async () => {
    server.slots = 0
    let [underWay, most] = [0, 0]
    server.answerWith((asked) => {
      underWay += 1
      most = Math.max(most, underWay)
      asked.response.once('finish', () => (underWay -= 1))
      give(asked)
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(most).toBe(1)
    expect(server.ranges).toHaveLength(
      1 + Math.ceil((PARTS * LIMITS.partBytes) / LIMITS.againBytes),
    )
    expect(server.sent()).toBe(bytes.length)
  })

  it('comes over one where that is fast', async () => {
    await server.client[Symbol.asyncDispose]()
    server.client = open(configFor(server.upstream.url, { id: 'hq' }), {
      ranges: { ...LIMITS, slowBelow: 0 },
    })
    server.answerWith((asked) => {
      give(asked)
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(server.ranges).toEqual([`bytes=0-${64 * KIB - 1}`, `bytes=${64 * KIB}-`])
  })

  it('comes over one again where several are no help', async () => {
    await server.client[Symbol.asyncDispose]()
    const ranged = { ...LIMITS, helpsFrom: Infinity }
    server.client = open(configFor(server.upstream.url, { id: 'hq' }), { ranges: ranged })
    server.answerWith((asked) => {
      give(asked)
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(server.ranges.at(-1)).toMatch(/^bytes=\d+-$/)
    expect(server.sent()).toBe(bytes.length)
  })

  it('is asked for once where the server knows no ranges', async () => {
    server.answerWith(({ response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.end(bytes)
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(server.ranges).toHaveLength(1)
  })

  it('is handed on as it comes, before the first part in line is whole', async () => {
    const half = LIMITS.partBytes / 2
    const begun: Asked[] = []
    server.answerWith((asked, at) => {
      if (at === 0 || begun.length === 4) {
        give(asked)
        return
      }
      begun.push(asked)
      const { from, until, response } = asked
      response.writeHead(206, { 'content-range': `bytes ${from}-${until - 1}/${bytes.length}` })
      response.write(bytes.subarray(from, from + half))
    })
    const got: Buffer[] = []
    const body = await server.getBlob()
    body.on('data', (piece: Buffer) => got.push(piece))
    const ended = once(body, 'end')
    await eventually(() => begun.length === 4)

    await eventually(() => Buffer.concat(got).length === LIMITS.firstBytes + half)

    for (const { from, until, response } of begun) response.end(bytes.subarray(from + half, until))
    await ended
    expect(digestOf(Buffer.concat(got))).toBe(descriptor.digest)
    expect(server.sent()).toBe(bytes.length)
    expect(server.taken).toBe(0)
  })

  it('is let go of at once, with all its connections and slots', async () => {
    let open = 0
    server.answerWith((asked, at) => {
      if (at === 0) {
        give(asked)
        return
      }
      open += 1
      asked.response.once('close', () => (open -= 1))
    })
    const body = await server.getBlob()
    body.resume()
    await eventually(() => open === 4)

    body.destroy()

    await eventually(() => open === 0 && server.taken === 0)
  })
})
