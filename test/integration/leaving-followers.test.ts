import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, get, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SpoolFollower } from '../../src/gateway/follow-spool.ts'
import { LocalRegistry } from '../../src/gateway/local-registry.ts'
import { serveBlob } from '../../src/gateway/serve-blob.ts'
import type { HttpServer } from '../../src/http/server.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseRepository } from '../../src/oci/reference.ts'
import { Spool, type Spooled } from '../../src/spool/spool.ts'
import { spoolAddress, startSpoolServer } from '../../src/spool/spool-server.ts'
import { SpoolsHere } from '../../src/spool/spools-here.ts'
import { eventually } from '../support/eventually.ts'
import { inPieces } from '../support/in-pieces.ts'
import { type TempFolder, tempFolder } from '../support/temp-folder.ts'

const BYTES = randomBytes(3_000_000)
const DIGEST = digestOf(BYTES)
const SIGNAL = new AbortController().signal

/** A gateway that has nothing but what is in a spool. */
describe.each(['over HTTP', 'in the same process'])('a client that follows %s', (how) => {
  let folder: TempFolder
  let spool: Spool
  let spoolServer: HttpServer
  let follower: SpoolFollower
  let spooled: Spooled
  let local: LocalRegistry
  let servers: Server[]
  let port: number
  let began: number
  let ended: number
  let openWhen: Promise<unknown>

  beforeEach(async () => {
    folder = await tempFolder('spool')
    spool = await Spool.open({ parent: folder.path, maxBytes: 100_000_000 })
    spoolServer = await startSpoolServer(spool, '127.0.0.1')
    const here = new SpoolsHere()
    if (how !== 'over HTTP') here.add(spoolAddress(spoolServer), spool)
    follower = new SpoolFollower(here)
    const blob = { mediaType: 'application/octet-stream', digest: DIGEST, size: BYTES.length }
    const wish = { blob, origin: 'hq/team/app', offset: 0, followed: true, signal: SIGNAL }
    const added = await spool.add(wish)
    if (added === undefined) throw new Error('there was no room')
    spooled = added
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
    follower[Symbol.dispose]()
    await spoolServer.stop(0)
    await spool[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const serve: Parameters<typeof createServer>[1] = (request, response) => {
    if (request.url === '/slow') return
    const repository = parseRepository('team/app')
    if (!repository.ok) throw new Error(repository.reason)
    void serveBlob(
      { request, response, asked: { method: 'GET', path: '/', headers: ['Host', 'registry'] } },
      { repository: repository.value, digest: DIGEST },
      {
        local: () => local,
        onTheWay: {
          part: () => Promise.resolve({ kind: 'blob', size: BYTES.length }),
          ask: () => Promise.resolve(),
          spoolOf: () => Promise.resolve(spoolAddress(spoolServer) + spooled.key),
          manifest: () => Promise.resolve(undefined),
          waitForManifest: () => Promise.reject(new Error('not asked for')),
        },
        openSpool: async (url, offset, signal) => {
          began += 1
          await openWhen
          return await follower.open(url, offset, signal)
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
    await eventually(() => spooled.blob.followed, { describe: 'the client to follow' })
  }

  async function isLetGo(): Promise<void> {
    await eventually(() => !spooled.blob.followed, { describe: 'the blob to be let go of' })
  }

  function append(bytes: Buffer): void {
    for (const piece of inPieces(bytes)) spooled.blob.append(piece)
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

    append(BYTES)

    await isLetGo()
  })

  it('and leaves while more is to come lets go of the blob at once', async () => {
    append(BYTES.subarray(0, 1_000_000))
    const asking = get({ host: '127.0.0.1', port }).on('error', () => undefined)
    const [response] = (await once(asking, 'response')) as [NodeJS.ReadableStream]
    response.on('error', () => undefined)
    await once(response, 'data')

    asking.destroy()

    await isLetGo()
  })

  it('and leaves before its turn on the connection lets go of the blob', async () => {
    append(BYTES)
    await spooled.blob.end(true)
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await eventually(() => began > 0, { describe: 'the second request to be served' })

    socket.destroy()

    await isLetGo()
  })

  it.each(['/slow', '/other'])(
    'and has left before its bytes are found lets go (%s)',
    async (path) => {
      append(BYTES)
      await spooled.blob.end(true)
      let open: () => void = () => undefined
      openWhen = new Promise<void>((resolve) => (open = resolve))
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n`)
      await eventually(() => began > 0, { describe: 'a request to be served' })
      socket.destroy()
      await eventually(async () => (await connections()) === 0, { describe: 'it to have left' })

      open()

      await eventually(() => ended === began, { describe: 'nobody to be served any more' })
      expect(spooled.blob.followed).toBe(false)
    },
  )

  it('gets it whole, time after time, and leaves nothing behind', async () => {
    append(BYTES)
    await spooled.blob.end(true)

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
