import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { closed } from '../support/network/closed.ts'
import { freePort } from '../support/network/free-port.ts'
import { inLanes } from '../support/process/lanes.ts'
import { type PullsyncProcess, startPullsync } from '../support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../support/redis/redis.ts'

const TIMES = 5
const AT_ONCE = 16
const PIECE = 'x'.repeat(100_000)
const BLOB = `/v2/team/app/blobs/sha256:${'a'.repeat(64)}`
/** A client to which nothing comes any more leaves. */
const QUIET_MS = 1_000

/** What a registry does on a connection once something has come. */
const BREAKS: Readonly<Record<string, (socket: Socket) => void>> = {
  reset: (socket) => socket.resetAndDestroy(),
  end: (socket) => socket.end(),
  continued: (socket) => {
    socket.write('HTTP/1.1 100 Continue\r\n\r\n', () => socket.resetAndDestroy())
  },
  'half a head': (socket) => {
    socket.write('HTTP/1.1 202 Acc', () => socket.resetAndDestroy())
  },
  'half an answer': (socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx', () => socket.resetAndDestroy())
  },
  'an early answer': (socket) => {
    socket.end('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')
  },
  'no HTTP': (socket) => socket.end('SSH-2.0\r\n\r\n'),
}

const push = (...headers: readonly string[]) =>
  ['PATCH /v2/team/app/blobs/uploads/1 HTTP/1.1', 'Host: a', ...headers, '', ''].join('\r\n')
const pull = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`
const sized = push(`Content-Length: ${PIECE.length}`)
const half = PIECE.slice(PIECE.length / 2)
const delivery = `POST /v1/events/hub HTTP/1.1\r\nHost: a\r\nContent-Length: ${PIECE.length}\r\n\r\n`

/** What clients send; those that leave do so as soon as it is sent. */
const CLIENTS = [
  { sends: sized + PIECE },
  { sends: sized + half },
  { sends: sized + half, leaves: true },
  { sends: `${push('Transfer-Encoding: chunked')}${PIECE.length.toString(16)}\r\n${half}` },
  { sends: `${push('Transfer-Encoding: chunked')}3\r\nabc\r\nno chunk\r\n` },
  { sends: push('Content-Length: 9', 'Expect: 100-continue') },
  { sends: `${push('Content-Length: 9', 'Expect: 100-continue')}half`, leaves: true },
  { sends: pull('/v2/') + sized + half },
  { sends: pull('/v2/') + sized + half, leaves: true },
  { sends: sized + PIECE + pull(BLOB) + pull('/v2/team/app/manifests/1') },
  { sends: pull('/v2/team/app/tags/list') + pull(BLOB), leaves: true },
  { sends: delivery + half, leaves: true },
] as const

let redis: TestRedis
let pullsync: PullsyncProcess
let registry: ReturnType<typeof createServer>
let breakOff: (socket: Socket) => void
let ports: { readonly listen: number; readonly admin: number }

beforeEach(async () => {
  breakOff = (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  registry = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => {
      breakOff(socket)
    })
  })
  registry.listen(0, '127.0.0.1')
  await once(registry, 'listening')
  redis = await startRedis({ appendOnly: false })
  ports = { listen: await freePort(), admin: await freePort() }
  pullsync = await startPullsync({
    args: ['serve'],
    config: configuration(),
    env: { HUB_SECRET: 'orbit-secret' },
    readyUrl: `http://127.0.0.1:${ports.admin}/readyz`,
  })
})

afterEach(async () => {
  await pullsync[Symbol.asyncDispose]()
  await redis[Symbol.asyncDispose]()
  registry.close()
})

it('no registry and no client that breaks off in the middle ends `serve`', async () => {
  const answers = breakOff
  const clients = Array.from({ length: TIMES }, () => CLIENTS).flat()

  for (const [how, breaks] of Object.entries(BREAKS)) {
    breakOff = breaks
    await inLanes(clients, AT_ONCE, say)
    expect([how, pullsync.child.exit()]).toEqual([how, undefined])
  }

  breakOff = answers
  expect((await fetch(`http://127.0.0.1:${ports.listen}/v2/`)).status).toBe(200)
  expect(pullsync.output().filter((line) => line.includes('TypeError'))).toEqual([])
  expect(await pullsync.stop()).toEqual({ code: 0, signal: null })
})

/** On a connection of its own, until something comes, or nothing more. */
async function say({ sends, ...client }: (typeof CLIENTS)[number]): Promise<void> {
  const socket = connect(ports.listen, '127.0.0.1')
  const leave = () => socket.destroy()
  socket.setTimeout(QUIET_MS, leave).once('data', leave)
  socket.write(sends, () => {
    if ('leaves' in client) leave()
  })
  await closed(socket)
}

function configuration(): string {
  const { port } = registry.address() as AddressInfo
  return `
redis: { url: ${redis.url} }
listen: 127.0.0.1:${ports.listen}
admin: { listen: 127.0.0.1:${ports.admin} }
local: { url: http://127.0.0.1:${port} }
upstreams:
  hq: { url: http://127.0.0.1:1 }
projects:
  - { name: team, upstream: hq }
sources:
  hub: { format: github, registry: hq, secret: '\${HUB_SECRET}' }
`
}
