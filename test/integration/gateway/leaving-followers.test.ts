import { once } from 'node:events'
import { createServer, get, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import { serveBlob } from '../../../src/gateway/blobs/serve-blob.ts'
import { parseRepository } from '../../../src/oci/reference.ts'
import { NOTHING_ANNOUNCED } from '../../support/given/nothing-announced.ts'
import { openRights } from '../../support/given/open-rights.ts'
import { eventually } from '../../support/eventually.ts'
import {
  BYTES,
  DIGEST,
  type FollowedBlob,
  startFollowedBlob,
  WAYS,
} from '../../support/images/followed-blob.ts'

/** A gateway that has nothing but what is in a spool. */
describe.each(WAYS)('a client that follows %s', (how) => {
  let followed: FollowedBlob
  let local: LocalRegistry
  let servers: Server[]
  let port: number
  let began: number
  let ended: number
  let openWhen: Promise<unknown>

  beforeEach(async () => {
    followed = await startFollowedBlob(how)
    const empty = createServer((_, response) =>
      response.writeHead(404, { 'Content-Length': 0 }).end(),
    )
    local = new LocalRegistry({ url: new URL(`http://127.0.0.1:${await listening(empty)}`) })
    const gateway = createServer(serve)
    port = await listening(gateway)
    servers = [empty, gateway]
    began = 0
    ended = 0
    openWhen = Promise.resolve()
  })

  afterEach(async () => {
    for (const server of servers) server.close().closeAllConnections()
    local[Symbol.dispose]()
    await followed[Symbol.asyncDispose]()
  })

  const serve: Parameters<typeof createServer>[1] = (request, response) => {
    if (request.url === '/slow') return
    const repository = parseRepository('team/app')
    if (!repository.ok) throw new Error(repository.reason)
    void serveBlob(
      { request, response, forwarded: { method: 'GET', path: '/', headers: ['Host', 'registry'] } },
      { repository: repository.value, digest: DIGEST },
      {
        ...NOTHING_ANNOUNCED,
        local: () => local,
        rights: openRights(() => local),
        inFlight: {
          part: () => Promise.resolve({ kind: 'blob', upstream: 'hq', size: BYTES.length }),
          ask: () => Promise.resolve(),
          come: () => Promise.resolve(undefined),
          spoolOf: () => Promise.resolve(followed.address + followed.spooled.key),
          manifest: () => Promise.resolve(undefined),
          waitForManifest: () => Promise.reject(new Error('not forwarded for')),
        },
        openSpool: async (url, offset, signal) => {
          began += 1
          await openWhen
          return await followed.follower.open(url, offset, signal)
        },
      },
    )
      .catch(() => undefined)
      .finally(() => (ended += 1))
  }

  async function connections(): Promise<number> {
    const [, gateway] = servers
    return await new Promise((resolve, reject) => {
      gateway?.getConnections((error, count) => {
        if (error) reject(error)
        else resolve(count)
      })
    })
  }

  async function isFollowed(): Promise<void> {
    await eventually(() => followed.spooled.blob.followed, { describe: 'the client to follow' })
  }

  async function isLetGo(): Promise<void> {
    await eventually(() => !followed.spooled.blob.followed, {
      describe: 'the blob to be let go of',
    })
  }

  it('and leaves before the first byte lets go of the blob at once', async () => {
    const asking = get({ host: '127.0.0.1', port }).on('error', () => undefined)
    await isFollowed()

    asking.destroy()

    await isLetGo()
  })

  it('and leaves with the first bytes lets go of the blob', async () => {
    const asking = get({ host: '127.0.0.1', port }).on('error', () => undefined)
    await isFollowed()
    asking.on('response', () => asking.destroy())

    followed.append(BYTES)

    await isLetGo()
  })

  it('and leaves while more is to come lets go of the blob at once', async () => {
    followed.append(BYTES.subarray(0, 1_000_000))
    const asking = get({ host: '127.0.0.1', port }).on('error', () => undefined)
    const [response] = (await once(asking, 'response')) as [NodeJS.ReadableStream]
    response.on('error', () => undefined)
    await once(response, 'data')

    asking.destroy()

    await isLetGo()
  })

  it('and leaves before its turn on the connection lets go of the blob', async () => {
    followed.append(BYTES)
    await followed.spooled.blob.end(true)
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => began > 0, { describe: 'the second request to be served' })

    socket.destroy()

    await isLetGo()
  })

  it.each(['/slow', '/other'])(
    'and has left before its bytes are found lets go (%s)',
    async (path) => {
      followed.append(BYTES)
      await followed.spooled.blob.end(true)
      let open: () => void = () => undefined
      openWhen = new Promise<void>((resolve) => (open = resolve))
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`)
      await eventually(() => began > 0, { describe: 'a request to be served' })
      socket.destroy()
      await eventually(async () => (await connections()) === 0, { describe: 'it to have left' })

      open()

      await eventually(() => ended === began, { describe: 'nobody to be served any more' })
      expect(followed.spooled.blob.followed).toBe(false)
    },
  )

  it('gets it whole, time after time, and leaves nothing behind', async () => {
    followed.append(BYTES)
    await followed.spooled.blob.end(true)

    for (let pulls = 0; pulls < 3; pulls += 1) {
      const answer = await fetch(`http://127.0.0.1:${port}/`)
      expect(Buffer.from(await answer.arrayBuffer()).equals(BYTES)).toBe(true)
    }

    await isLetGo()
  })
})

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
