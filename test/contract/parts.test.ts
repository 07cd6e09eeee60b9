import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import type { RangeLimits } from '../../src/registry/content/ranged-blob.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { eventually } from '../support/eventually.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/scripted-registry.ts'
import { bytesOf, configFor, open, randomBlob, repository, SIGNAL } from './contract-content.ts'

const KIB = 1024
const LIMITS: RangeLimits = {
  fromBytes: 100 * KIB,
  firstBytes: 64 * KIB,
  againBytes: 256 * KIB,
  partBytes: 32 * KIB,
  // What a test sees must not depend on how fast its machine is.
  slowBelow: Infinity,
  helpsFrom: 0,
}
const PARTS = 20
const { bytes, descriptor } = randomBlob(LIMITS.firstBytes + PARTS * LIMITS.partBytes)
const BLOBS = { method: 'GET', path: /\/blobs\/sha256:/ }

interface Asked {
  readonly from: number
  readonly until: number
  readonly response: ServerResponse
}

describe('a large blob from a server that limits each connection', () => {
  let upstream: ScriptedRegistry
  let client: Registry
  let ranges: (string | undefined)[]
  /** Slots that were given, and not given back. */
  let taken: number
  let slots: number

  beforeEach(async () => {
    upstream = await startScriptedRegistry()
    client = open(configFor(upstream.url, { id: 'hq' }), { ranges: LIMITS })
    ranges = []
    taken = 0
    slots = 7
  })

  afterEach(async () => {
    await client[Symbol.asyncDispose]()
    await upstream[Symbol.asyncDispose]()
  })

  const extra = () => {
    if (taken === slots) return undefined
    taken += 1
    return () => {
      taken -= 1
    }
  }

  function answerWith(answer: (asked: Asked, at: number) => void): void {
    upstream.script(BLOBS, ({ request, response }: Turn) => {
      const { range } = request.headers
      ranges.push(range)
      const [, from = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
      const until = last === '' ? bytes.length : Number(last) + 1
      answer({ from: Number(from), until, response }, ranges.length - 1)
    })
  }

  function give({ from, until, response }: Asked, headers: Record<string, string> = {}): void {
    response.writeHead(from === 0 && until === bytes.length ? 200 : 206, {
      'content-length': until - from,
      'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
      ...headers,
    })
    response.end(bytes.subarray(from, until))
  }

  async function getBlob() {
    return await client.repository(repository('team/app')).getBlob(descriptor, SIGNAL, { extra })
  }

  async function digest(): Promise<string> {
    return digestOf(await bytesOf(await getBlob()))
  }

  const sent = () =>
    ranges.reduce((sum, range) => {
      const [, from = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
      return sum + (last === '' ? bytes.length : Number(last) + 1) - Number(from)
    }, 0)

  it('comes over four connections, each byte once, in whatever order they are answered', async () => {
    const waiting: Asked[] = []
    let given = 0
    answerWith((asked, at) => {
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

    expect(await digest()).toBe(descriptor.digest)
    expect(ranges).toHaveLength(1 + PARTS)
    expect(sent()).toBe(bytes.length)
    expect(taken).toBe(0)
  })

  it('comes over one where there is no slot for another, and is looked at again', async () => {
    slots = 0
    let [underWay, most] = [0, 0]
    answerWith((asked) => {
      underWay += 1
      most = Math.max(most, underWay)
      asked.response.once('finish', () => (underWay -= 1))
      give(asked)
    })

    expect(await digest()).toBe(descriptor.digest)
    expect(most).toBe(1)
    expect(ranges).toHaveLength(1 + Math.ceil((PARTS * LIMITS.partBytes) / LIMITS.againBytes))
    expect(sent()).toBe(bytes.length)
  })

  it('comes over one where that is fast', async () => {
    await client[Symbol.asyncDispose]()
    client = open(configFor(upstream.url, { id: 'hq' }), { ranges: { ...LIMITS, slowBelow: 0 } })
    answerWith((asked) => {
      give(asked)
    })

    expect(await digest()).toBe(descriptor.digest)
    expect(ranges).toEqual([`bytes=0-${64 * KIB - 1}`, `bytes=${64 * KIB}-`])
  })

  it('comes over one again where several are no help', async () => {
    await client[Symbol.asyncDispose]()
    const ranged = { ...LIMITS, helpsFrom: Infinity }
    client = open(configFor(upstream.url, { id: 'hq' }), { ranges: ranged })
    answerWith((asked) => {
      give(asked)
    })

    expect(await digest()).toBe(descriptor.digest)
    expect(ranges.at(-1)).toMatch(/^bytes=\d+-$/)
    expect(sent()).toBe(bytes.length)
  })

  it('is asked for once where the server knows no ranges', async () => {
    answerWith(({ response }) => {
      response.writeHead(200, { 'content-length': bytes.length })
      response.end(bytes)
    })

    expect(await digest()).toBe(descriptor.digest)
    expect(ranges).toHaveLength(1)
  })

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
    answerWith((asked, at) => {
      const isRest = ranges.at(-1)?.endsWith('-') === true
      if (at > 0 && !isRest && asked.from >= 256 * KIB) wrong(asked)
      else give(asked)
    })

    expect(await digest()).toBe(descriptor.digest)
    // What had come of the wrong part has been handed on.
    const rests = ranges.flatMap((range) => /^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? [])
    const from = Number(rests.at(-1))
    expect(from).toBeGreaterThanOrEqual(256 * KIB)
    expect(from).toBeLessThan(256 * KIB + LIMITS.partBytes)
    expect(taken).toBe(0)
  })

  it('is handed on as it comes, before the first part in line is whole', async () => {
    const half = LIMITS.partBytes / 2
    const begun: Asked[] = []
    answerWith((asked, at) => {
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
    const body = await getBlob()
    body.on('data', (piece: Buffer) => got.push(piece))
    const ended = once(body, 'end')
    await eventually(() => begun.length === 4)

    await eventually(() => Buffer.concat(got).length === LIMITS.firstBytes + half)

    for (const { from, until, response } of begun) response.end(bytes.subarray(from + half, until))
    await ended
    expect(digestOf(Buffer.concat(got))).toBe(descriptor.digest)
    expect(sent()).toBe(bytes.length)
    expect(taken).toBe(0)
  })

  it('comes over one from where a part ended too soon, however many would', async () => {
    slots = 0
    answerWith(({ from, until, response }, at) => {
      response.writeHead(206, {
        'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
        'transfer-encoding': 'chunked',
      })
      // The second and those after it have one byte.
      response.end(
        bytes.subarray(from, at > 0 && at < 5 && until < bytes.length ? from + 1 : until),
      )
    })

    expect(await digest()).toBe(descriptor.digest)
    expect(ranges.slice(1)).toEqual([
      `bytes=${64 * KIB}-${320 * KIB - 1}`,
      `bytes=${64 * KIB + 1}-`,
    ])
  })

  it('is asked for once more where its first part ended too soon', async () => {
    slots = 0
    answerWith(({ from, until, response }, at) => {
      response.writeHead(206, {
        'content-range': `bytes ${from}-${until - 1}/${bytes.length}`,
        'transfer-encoding': 'chunked',
      })
      response.end(bytes.subarray(from, at === 0 ? 1 : until))
    })

    expect(await digest()).toBe(descriptor.digest)
    expect(ranges.slice(1)).toEqual(['bytes=1-'])
  })

  it('is not asked for again at once where the server says when it may be', async () => {
    await client[Symbol.asyncDispose]()
    client = open(configFor(upstream.url, { id: 'hq' }), { ranges: { ...LIMITS, slowBelow: 0 } })
    answerWith((asked, at) => {
      if (at === 0) give(asked)
      else asked.response.writeHead(429, { 'retry-after': '60' }).end()
    })

    await expect(digest()).rejects.toMatchObject({ status: 429 })
    expect(ranges).toHaveLength(2)
  })

  it.each([
    ['beside others', 7],
    ['alone', 0],
  ])(
    'is not asked for at once where the server says of a part %s when it may be, and comes over one connection then',
    async (_how, free) => {
      slots = free
      answerWith((asked, at) => {
        if (at < 2) give(asked)
        else asked.response.writeHead(429, { 'retry-after': '60' }).end()
      })
      const got: Buffer[] = []
      const body = await getBlob()
      body.on('data', (piece: Buffer) => got.push(piece))

      await expect(once(body, 'end')).rejects.toMatchObject({ status: 429, retryAfterMs: 60_000 })
      expect(ranges.filter((range) => range?.endsWith('-'))).toEqual([])
      const before = Buffer.concat(got)
      expect(before.length).toBeGreaterThan(LIMITS.firstBytes)
      expect(before.equals(bytes.subarray(0, before.length))).toBe(true)
      await eventually(() => taken === 0)

      answerWith((asked) => {
        give(asked)
      })
      ranges = []
      expect(await digest()).toBe(descriptor.digest)
      expect(ranges).toEqual([undefined])
    },
  )

  it.each([
    ['a part over one connection', Infinity],
    ['the rest', 0],
  ])('is let go of while %s is asked for, and not asked for again', async (_what, slowBelow) => {
    await client[Symbol.asyncDispose]()
    client = open(configFor(upstream.url, { id: 'hq' }), { ranges: { ...LIMITS, slowBelow } })
    slots = 0
    let [waiting, gone] = [false, false]
    answerWith((asked, at) => {
      if (at !== 1) {
        give(asked)
        return
      }
      waiting = true
      asked.response.once('close', () => (gone = true))
    })
    const body = await getBlob()
    body.resume()
    await eventually(() => waiting)

    body.destroy()

    await eventually(() => gone)
    // What had been asked for before this would be there by now.
    await digest()
    expect(ranges.slice(2)).toEqual([ranges[0], ...ranges.slice(3)])
  })

  it('is let go of at once, with all its connections and slots', async () => {
    let open = 0
    answerWith((asked, at) => {
      if (at === 0) {
        give(asked)
        return
      }
      open += 1
      asked.response.once('close', () => (open -= 1))
    })
    const body = await getBlob()
    body.resume()
    await eventually(() => open === 4)

    body.destroy()

    await eventually(() => open === 0 && taken === 0)
  })
})
