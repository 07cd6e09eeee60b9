import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PROOFS } from '../../fixtures/senders.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'

const SECRET = 'orbit-secret'
const CONNECTIONS = 1_000
const MIB = 1024 * 1024
const BOMB = gzipSync(Buffer.alloc(64 * MIB))
// Looks like a signature, so that the body has to be read.
const FORGED = { 'x-hub-signature-256': `sha256=${'5'.repeat(64)}` }

describe('a thousand hostile connections', () => {
  let redis: TestRedis
  let pullsync: PullsyncProcess
  let port: number
  let sockets: Socket[]

  beforeEach(async () => {
    sockets = []
    redis = await startRedis({ appendOnly: false })
    const [listen, admin] = [await freePort(), await freePort()]
    port = listen
    pullsync = await startPullsync({
      args: ['serve'],
      config: configuration(redis.url, { listen, admin }),
      env: { GITHUB_SECRET: SECRET },
      readyUrl: `http://127.0.0.1:${admin}/readyz`,
    })
  })

  afterEach(async () => {
    for (const socket of sockets) socket.destroy()
    await pullsync[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  it.each([
    ['no secret', 'edge', {}],
    ['a wrong secret', 'edge', { authorization: 'Bearer moon' }],
    ['a forged signature', 'hub', FORGED],
  ])(
    'with %s cost less than 64 MiB, and genuine deliveries are answered beside them',
    async (_how, source, headers) => {
      expect(await deliver('warm-up')).toBe(202)
      const idle = await resetPeak(pullsync.child.pid)

      await Promise.all(Array.from({ length: CONNECTIONS }, () => attack(source, headers)))
      for (const id of ['first', 'second', 'third']) expect(await deliver(id)).toBe(202)
      const unread = () =>
        sockets.filter(({ closed, writableLength }) => !closed && writableLength > 0)
      await eventually(() => unread().length === 0)

      expect(await deliver('last')).toBe(202)
      const cost = (await peak(pullsync.child.pid)) - idle
      expect(cost).toBeLessThan(64 * MIB)
    },
  )

  /** Announces 8 MiB, sends what would inflate to 64, and leaves it at that. */
  async function attack(source: string, headers: Readonly<Record<string, string>>): Promise<void> {
    const socket = connect(port, '127.0.0.1')
    sockets.push(socket)
    socket.on('error', () => {
      // Cut by the server while something was on its way.
    })
    await once(socket, 'connect')
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(
      `POST /v1/events/${source} HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n${lines.join('')}Content-Length: ${8 * MIB}\r\n\r\n`,
    )
    socket.write(BOMB)
    // What would have been answered by now would have been inflated by now.
    socket.resume()
  }

  async function deliver(id: string): Promise<number> {
    const body = JSON.stringify({ zen: id })
    const { headers = {} } = PROOFS.github[0](body, SECRET)
    const response = await fetch(`http://127.0.0.1:${port}/v1/events/hub`, {
      method: 'POST',
      body,
      headers: { 'x-github-event': 'ping', ...headers } as Record<string, string>,
    })
    return response.status
  }
})

/** Bytes of memory now; the peak is counted from here. */
async function resetPeak(pid: number): Promise<number> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  return await statusBytes(pid, 'VmRSS')
}

async function peak(pid: number): Promise<number> {
  return await statusBytes(pid, 'VmHWM')
}

async function statusBytes(pid: number, key: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
}

function configuration(
  redis: string,
  { listen, admin }: { listen: number; admin: number },
): string {
  return `
redis: { url: ${redis} }
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: http://127.0.0.1:5999 }
upstreams: { hq: { url: http://127.0.0.1:5998 } }
projects: [{ name: team, upstream: hq }]
sources:
  edge: { format: zot, registry: hq, secret: '\${GITHUB_SECRET}' }
  hub: { format: github, registry: hq, secret: '\${GITHUB_SECRET}' }
`
}
