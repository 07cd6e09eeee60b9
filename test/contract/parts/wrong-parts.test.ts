import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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
} from './limited-server.ts'

describe('a large blob from a server that limits each connection', () => {
  let server: LimitedServer

  beforeEach(async () => {
    server = await limitedServer()
  })

  afterEach(() => server[Symbol.asyncDispose]())

  const wrongs: readonly (readonly [what: string, wrong: (asked: Asked) => void])[] = [
    [
      'all of it',
      ({ response }) => {
        response.writeHead(200, { 'content-length': bytes.length })
        response.end(bytes)
      },
    ],
    [
      'another range',
      (asked) => {
        give(asked, { 'content-range': `bytes 0-${LIMITS.partBytes - 1}/${bytes.length}` })
      },
    ],
    [
      'a part of another blob',
      (asked) => {
        give(asked, { etag: '"another"' })
      },
    ],
    [
      'a part that does not end',
      ({ from, until, response }) => {
        response.writeHead(206, {
          'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
          'transfer-encoding': 'chunked',
        })
        response.write(bytes)
      },
    ],
    [
      'half a part',
      ({ from, until, response }) => {
        response.writeHead(206, {
          'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
          'content-length': until - from,
        })
        response.write(bytes.subarray(from, until - 1_000), () => response.destroy())
      },
    ],
    [
      'no part',
      ({ response }) => {
        response.writeHead(403)
        response.end()
      },
    ],
  ]

  it.each(wrongs)('comes over one from where the server gives %s', async (_what, wrong) => {
    server.answerWith((asked, at) => {
      const isRest = server.ranges.at(-1)?.endsWith('-') === true
      if (at > 0 && !isRest && asked.from >= 256 * KIB) wrong(asked)
      else give(asked)
    })

    expect(await server.digest()).toBe(descriptor.digest)
    // What had come of the wrong part has been handed on.
    const rests = server.ranges.flatMap((range) => /^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? [])
    const from = Number(rests.at(-1))
    expect(from).toBeGreaterThanOrEqual(256 * KIB)
    expect(from).toBeLessThan(256 * KIB + LIMITS.partBytes)
    expect(server.taken).toBe(0)
  })

  it('comes over one from where a part ended too soon, however many would', async () => {
    server.slots = 0
    server.answerWith(({ from, until, response }, at) => {
      response.writeHead(206, {
        'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
        'transfer-encoding': 'chunked',
      })
      // The second and those after it have one byte.
      response.end(
        bytes.subarray(from, at > 0 && at < 5 && until < bytes.length ? from + 1 : until),
      )
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(server.ranges.slice(1)).toEqual([
      `bytes=${64 * KIB}-${320 * KIB - 1}`,
      `bytes=${64 * KIB + 1}-`,
    ])
  })

  it('is asked for once more where its first part ended too soon', async () => {
    server.slots = 0
    server.answerWith(({ from, until, response }, at) => {
      response.writeHead(206, {
        'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
        'transfer-encoding': 'chunked',
      })
      response.end(bytes.subarray(from, at === 0 ? 1 : until))
    })

    expect(await server.digest()).toBe(descriptor.digest)
    expect(server.ranges.slice(1)).toEqual(['bytes=1-'])
  })

  it('is not asked for again at once where the server says when it may be', async () => {
    await server.client[Symbol.asyncDispose]()
    server.client = open(configFor(server.upstream.url, { id: 'hq' }), {
      ranges: { ...LIMITS, slowBelow: 0 },
    })
    server.answerWith((asked, at) => {
      if (at === 0) give(asked)
      else asked.response.writeHead(429, { 'retry-after': '60' }).end()
    })

    await expect(server.digest()).rejects.toMatchObject({ status: 429 })
    expect(server.ranges).toHaveLength(2)
  })

  it.each([
    ['beside others', 7],
    ['alone', 0],
  ])(
    'is not asked for at once where the server says of a part %s when it may be, and comes over one connection then',
    async (_how, free) => {
      server.slots = free
      server.answerWith((asked, at) => {
        if (at < 2) give(asked)
        else asked.response.writeHead(429, { 'retry-after': '60' }).end()
      })
      const got: Buffer[] = []
      const body = await server.getBlob()
      body.on('data', (piece: Buffer) => got.push(piece))

      await expect(once(body, 'end')).rejects.toMatchObject({ status: 429, retryAfterMs: 60_000 })
      expect(server.ranges.filter((range) => range?.endsWith('-'))).toEqual([])
      const before = Buffer.concat(got)
      expect(before.length).toBeGreaterThan(LIMITS.firstBytes)
      expect(before.equals(bytes.subarray(0, before.length))).toBe(true)
      await eventually(() => server.taken === 0)

      server.answerWith((asked) => {
        give(asked)
      })
      server.ranges = []
      expect(await server.digest()).toBe(descriptor.digest)
      expect(server.ranges).toEqual([undefined])
    },
  )

  it.each([
    ['a part over one connection', Infinity],
    ['the rest', 0],
  ])('is let go of while %s is asked for, and not asked for again', async (_what, slowBelow) => {
    await server.client[Symbol.asyncDispose]()
    server.client = open(configFor(server.upstream.url, { id: 'hq' }), {
      ranges: { ...LIMITS, slowBelow },
    })
    server.slots = 0
    let [waiting, gone] = [false, false]
    server.answerWith((asked, at) => {
      if (at !== 1) {
        give(asked)
        return
      }
      waiting = true
      asked.response.once('close', () => (gone = true))
    })
    const body = await server.getBlob()
    body.resume()
    await eventually(() => waiting)

    body.destroy()

    await eventually(() => gone)
    // What had been asked for before this would be there by now.
    await server.digest()
    expect(server.ranges.slice(2)).toEqual([server.ranges[0], ...server.ranges.slice(3)])
  })
})
