import { Agent, createServer, get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { LocalRegistry } from '../../../../src/gateway/local/local-registry.ts'
import { type BlobDeps, serveBlob } from '../../../../src/gateway/blobs/serve-blob.ts'
import { digestOf } from '../../../../src/oci/digest.ts'
import { NOTHING_ANNOUNCED } from '../../../support/given/nothing-announced.ts'
import { openRights } from '../../../support/given/open-rights.ts'
import { parseRepository } from '../../../../src/oci/reference.ts'

const BLOB = Buffer.from('bytes that are on their way')
const DIGEST = digestOf(BLOB)
const PART = { kind: 'blob' as const, upstream: 'hq', size: BLOB.length }

it.each([
  ['of an image on its way comes from there', true, 200, BLOB.toString()],
  ['of nothing on its way gets that answer', false, 500, 'broken'],
])('a blob that the registry fails to give, %s', async (_, onItsWay, status, body) => {
  const part = () => Promise.resolve(onItsWay ? PART : undefined)
  await using gateway = await startGateway(part, () => [BLOB])

  const answer = await fetch(gateway.url)

  expect(answer.status).toBe(status)
  expect(await answer.text()).toBe(body)
})

it('a blob on its way that nobody brings any more is cut for a client that keeps its connection', async () => {
  let [forwarded, opened] = [0, 0]
  const part = () => Promise.resolve(forwarded++ === 0 ? PART : undefined)
  const agent = new Agent({ keepAlive: true })
  await using gateway = await startGateway(part, () =>
    opened++ === 0 ? [BLOB.subarray(0, 5)] : undefined,
  )

  const asking = get(gateway.url, { agent })
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]

  await expect(buffer(answer)).rejects.toThrow()
  agent.destroy()
})

it('a blob on its way that never comes gets the first answer, cut where that is no error body', async () => {
  let forwarded = 0
  const part = () => Promise.resolve(forwarded++ === 0 ? PART : undefined)
  const long = 'x'.repeat(100_000)
  await using gateway = await startGateway(part, () => undefined, long)

  const answer = await fetch(gateway.url, { signal: AbortSignal.timeout(60_000) })

  expect(answer.status).toBe(500)
  expect(long.startsWith(await answer.text())).toBe(true)
})

/** In front of a registry that does not give blobs, but whose other answers tell that the client may read. */
async function startGateway(
  part: BlobDeps['inFlight']['part'],
  spooled: () => Buffer[] | undefined,
  body = 'broken',
): Promise<AsyncDisposable & { readonly url: string }> {
  const registry = createServer(({ method }, response) =>
    response.writeHead(method === 'HEAD' ? 404 : 500, { 'Content-Length': body.length }).end(body),
  )
  const local = new LocalRegistry({ url: new URL(await listening(registry)) })
  const deps: BlobDeps = {
    ...NOTHING_ANNOUNCED,
    local: () => local,
    rights: openRights(() => local),
    inFlight: {
      part,
      ask: () => Promise.resolve(),
      come: () => Promise.resolve(undefined),
      spoolOf: () => Promise.resolve('http://worker'),
      manifest: () => Promise.resolve(undefined),
      waitForManifest: () => Promise.reject(new Error('not forwarded for')),
    },
    openSpool: () => {
      const pieces = spooled()
      return Promise.resolve(pieces && Readable.from(pieces))
    },
  }
  const repository = parseRepository('team/app')
  if (!repository.ok) throw new Error(repository.reason)
  const gateway = createServer((request, response) => {
    const forwarded = { method: 'GET', path: '/', headers: ['Host', 'registry'] }
    void serveBlob(
      { request, response, forwarded },
      { repository: repository.value, digest: DIGEST },
      deps,
    )
  })
  return {
    url: await listening(gateway),
    [Symbol.asyncDispose]() {
      for (const server of [registry, gateway]) server.close().closeAllConnections()
      local[Symbol.dispose]()
      return Promise.resolve()
    },
  }
}

async function listening(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
