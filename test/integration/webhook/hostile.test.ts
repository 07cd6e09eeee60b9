import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SourceConfig } from '../../../src/config/config.ts'
import { FORMATS, type FormatName } from '../../../src/events/formats.ts'
import { createApp } from '../../../src/http/app.ts'
import { type HttpServer, startHttpServer } from '../../../src/http/server.ts'
import { createLogger } from '../../../src/telemetry/logger.ts'
import { createMetrics } from '../../../src/telemetry/metrics.ts'
import { createReporter } from '../../../src/telemetry/reports/report.ts'
import { deliveriesFirst } from '../../../src/webhook/deliveries-first.ts'
import { openWebhook } from '../../../src/webhook/route.ts'
import { PROOFS } from '../../fixtures/senders.ts'
import { closed } from '../../support/network/closed.ts'
import { NEVER_CHECKED } from '../../support/given/never-checked.ts'

const SECRET = 'orbit-secret'
const NO_GZIP = Buffer.from('not compressed at all')
const WAYS = Object.entries(PROOFS).flatMap(([name, proofs]) =>
  proofs.map((proof) => [name as FormatName, proof] as const),
)
const GZIP_BOMB = gzipSync(Buffer.alloc(256 * 1024 * 1024))
const NAMES = Object.keys(FORMATS).filter((name): name is FormatName =>
  Object.hasOwn(FORMATS, name),
)

interface Posted {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly pathSecret?: string | undefined
}

describe('hostile senders at the public listener', () => {
  let server: HttpServer
  let sockets: Socket[]

  beforeEach(async () => {
    sockets = []
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done()
      },
    })
    const logger = createLogger({ level: 'error', pretty: false, stream })
    const report = createReporter(logger, createMetrics())
    const enqueuer = { offer: () => Promise.reject(new Error('nothing is to be queued')) }
    const sources = new Map(NAMES.map((format) => [format, sourceOf(format)]))
    const config = () => ({ sources, projects: [], local: {}, upstreams: new Map() })
    const app = createApp()
    const webhook = openWebhook({ config, enqueuer, checks: NEVER_CHECKED, report })
    app.use(webhook.router)
    const address = { host: '127.0.0.1', port: 0 }
    server = await startHttpServer(deliveriesFirst(app, { webhook, report }), {
      address,
      configKey: 'listen',
    })
  })

  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await server.stop(0)
  })

  it('cannot keep others out with idle connections or a byte at a time, and are cut off', async () => {
    const idle = await Promise.all(Array.from({ length: 1_000 }, () => open()))
    const [slowHead, slowBody] = [await open(), await open()]
    slowHead.write('POST /v1/events/github HTTP/1.1\r\nHost: a\r\nX-Slow: ')
    slowBody.write('POST /v1/events/github HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{')
    const drip = setInterval(() => {
      slowHead.write('x')
      slowBody.write('x')
    }, 500)
    try {
      expect(await ping()).toBe(202)
      await Promise.all([...idle, slowHead].map(closed))
      expect(await ping()).toBe(202)
      await closed(slowBody)
    } finally {
      clearInterval(drip)
    }
  })

  it.each(NAMES)('cannot make %s inflate anything without a proof', async (format) => {
    const answer = await post(format, { body: NO_GZIP, headers: { authorization: 'Bearer moon' } })

    expect(answer.status).toBe(401)
  })

  it.each(WAYS)('cannot make %s inflate 256 MiB, with a proof of way $1', async (format, proof) => {
    const before = process.memoryUsage().rss
    const { headers = {}, pathSecret } = proof(GZIP_BOMB, SECRET)

    const answer = await post(format, { body: GZIP_BOMB, headers, pathSecret })

    expect(answer.status).toBe(413)
    expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024)
  })

  it('are told the truth when they sign what does not inflate', async () => {
    const { headers = {} } = PROOFS.github[0](NO_GZIP, SECRET)

    expect((await post('github', { body: NO_GZIP, headers })).status).toBe(400)
  })

  it.each(['gzip, gzip', 'br, gzip', 'zstd', 'compress', 'x'.repeat(1_000)])(
    'are answered 415 to the encoding %s',
    async (encoding) => {
      const response = await fetch(`${server.url}/v1/events/zot`, {
        method: 'POST',
        body: gzipSync('{}'),
        headers: { 'content-encoding': encoding, authorization: `Bearer ${SECRET}` },
      })

      expect(response.status).toBe(415)
    },
  )

  async function post(
    format: FormatName,
    { body, headers, pathSecret }: Posted,
  ): Promise<Response> {
    const end = pathSecret === undefined ? '' : `/${pathSecret}`
    return await fetch(`${server.url}/v1/events/${format}${end}`, {
      method: 'POST',
      body: Uint8Array.from(body),
      headers: { 'content-encoding': 'gzip', ...headers } as Record<string, string>,
    })
  }

  async function ping(): Promise<number> {
    const response = await fetch(`${server.url}/v1/events/acr`, {
      method: 'POST',
      body: '{"action":"ping"}',
      headers: { authorization: `Bearer ${SECRET}` },
    })
    return response.status
  }

  async function open(): Promise<Socket> {
    const socket = connect(server.address.port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {
      // Cut by the server while something was on its way.
    })
    await once(socket, 'connect')
    return socket
  }
})

function sourceOf(format: FormatName): SourceConfig {
  return { id: format, format, registry: 'hq', secrets: [SECRET] }
}
