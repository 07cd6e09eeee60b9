import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { proxySite, type ProxySite } from './proxy-site.ts'

/** What a registry may do that docker-registry cannot be made to do on command. */
describe('what passes through the gateway', () => {
  let site: ProxySite

  beforeEach(async () => {
    site = await proxySite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it.each(['GET', 'DELETE', 'OPTIONS', 'HEAD'])(
    'is one request, also where Connection names the length of the body of a %s',
    async (method) => {
      const seen: string[] = []
      site.answer = (request, response) => {
        seen.push(`${request.method} ${request.url} ${request.headers.host}`)
        request.resume().once('end', () => response.end())
      }
      const body = 'GET /v2/secret HTTP/1.1\r\nHost: b\r\n\r\n'
      const client = connect(site.front.address.port, '127.0.0.1')
      client.write(
        `${method} /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Length, Host\r\n`,
      )
      client.write(`Content-Length: ${body.length}\r\n\r\n${body}`)

      expect(await text(client)).toMatch(/^HTTP\/1\.1 200 /)
      // On the connection of the one before, so after whatever else came on it.
      await fetch(`${site.front.url}/v2/a/blobs/uploads/y`)
      expect(seen).toEqual([
        `${method} /v2/a/blobs/uploads/x a`,
        `GET /v2/a/blobs/uploads/y ${new URL(site.front.url).host}`,
      ])
    },
  )

  it.each([
    '/v2/../api/v2.0/users',
    '/v2/%2e%2e/api/v2.0/users',
    '/v2/team/..%2f..%2fapi',
    '/v2//api',
    '/v2/team\\\\..\\\\api',
    '/v2/team/app;x/manifests/1.0',
    '/v2/team/app/blobs/uploads/..',
    'http://registry.example/v2/../api',
  ])('is no other path than those of the registry API: not %s', async (path) => {
    let asked = 0
    site.answer = (_request, response) => {
      asked += 1
      response.end()
    }
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

    const answers = await Promise.all(
      methods.map((method) =>
        site.say(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
      ),
    )

    expect(answers.map((text) => text.slice(0, 13))).toEqual(methods.map(() => 'HTTP/1.1 404 '))
    expect(asked).toBe(0)
  })

  it.each([
    [
      'HTTP/1.0 that names no host',
      'GET /v2/ HTTP/1.0\r\n\r\n',
      () => `127.0.0.1:${site.front.address.port}`,
    ],
    ['HTTP/1.0 that names one', 'HEAD /v2/ HTTP/1.0\r\nHost: a.example\r\n\r\n', () => 'a.example'],
    [
      'the whole address',
      'GET http://a.example:81/v2/?n=1 HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n',
      () => 'a.example:81',
    ],
  ])('is asked of the registry for the host that is meant: %s', async (_, text, host) => {
    const seen: unknown[] = []
    site.answer = ({ url, headers }, response) => {
      seen.push([url, headers.host])
      response.end()
    }

    expect(await site.say(text)).toMatch(/^HTTP\/1\.1 200 /)
    expect(seen).toEqual([[text.includes('n=1') ? '/v2/?n=1' : '/v2/', host()]])
  })

  it.each([
    ['two lengths', 'Content-Length: 1\r\nContent-Length: 1'],
    ['a coding that stays', 'Transfer-Encoding: gzip, chunked'],
    ['two hosts', 'Host: b\r\nContent-Length: 1'],
  ])('is refused with its connection where the head is not clear: %s', async (_, headers) => {
    let asked = 0
    site.answer = (_request, response) => {
      asked += 1
      response.end()
    }

    const text = await site.say(`PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n1`)

    expect(text).toMatch(/^HTTP\/1\.1 400 /)
    expect(text).toMatch(/\r\nConnection: close\r\n/i)
    expect(asked).toBe(0)
  })

  it('has heads of sixty kibibytes both ways', async () => {
    let token = ''
    site.answer = ({ headers }, response) => {
      token = headers.authorization ?? ''
      const told = Array.from({ length: 2_000 }, (_, at) => [`X-${at}`, 'y'.repeat(20)]).flat()
      response.writeHead(200, [...told, 'Content-Length', '2']).end('ok')
    }
    const sent = `Bearer ${'t'.repeat(60_000)}`

    for (const path of ['/v2/a/manifests/1', `/v2/a/blobs/sha256:${'a'.repeat(64)}`, '/v2/']) {
      const asked = request(`${site.front.url}${path}`, {
        headers: { authorization: sent },
        maxHeaderSize: 100_000,
      })
      asked.maxHeadersCount = 0
      const [got] = (await once(asked.end(), 'response')) as [IncomingMessage]
      expect(await text(got)).toBe('ok')
      expect(got.headers['x-1999']).toBe('y'.repeat(20))
      expect(token).toBe(sent)
    }
  })

  it('has no more heads in memory that do not come to an end than a bound', async () => {
    const open = new Set<Socket>()
    const long = `GET /v2/ HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(60_000)}`
    for (let at = 0; at < 600; at += 1) {
      const client = connect(site.front.address.port, '127.0.0.1')
      open.add(client)
      client.on('error', () => undefined).once('close', () => open.delete(client))
      client.write(long)
    }

    await eventually(() => open.size * long.length < 17 * 2 ** 20, {
      describe: 'most to be closed',
    })

    expect(await site.say(`${long}\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
    for (const client of open) client.destroy()
  })

  it('is not begun for what is no HTTP', async () => {
    const socket = connect(site.front.address.port, '127.0.0.1')
    socket.end('GET /v2/ HTTP/9.9\r\n\r\n')

    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })
})
