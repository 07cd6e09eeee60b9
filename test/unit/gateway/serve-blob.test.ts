import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { LocalRegistry } from '../../../src/gateway/local-registry.ts'
import { type BlobDeps, serveBlob } from '../../../src/gateway/serve-blob.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { parseRepository } from '../../../src/oci/reference.ts'

const BLOB = Buffer.from('bytes that are on their way')
const DIGEST = digestOf(BLOB)

it.each([
  ['of an image on its way comes from there', true, 200, BLOB.toString()],
  ['of nothing on its way gets that answer', false, 500, 'broken'],
])('a blob that the registry fails to give, %s', async (_, onItsWay, status, body) => {
  const part = { kind: 'blob' as const, size: BLOB.length }
  const registry = createServer((_request, response) => response.writeHead(500).end('broken'))
  using local = new LocalRegistry({ url: new URL(await listening(registry)) })
  const deps: BlobDeps = {
    local: () => local,
    onTheWay: {
      part: () => Promise.resolve(onItsWay ? part : undefined),
      spoolOf: () => Promise.resolve('http://worker'),
      manifest: () => Promise.resolve(undefined),
      waitForManifest: () => Promise.reject(new Error('not asked for')),
    },
    openSpool: () => Promise.resolve(Readable.from([BLOB])),
  }
  const repository = parseRepository('team/app')
  if (!repository.ok) throw new Error(repository.reason)
  const gateway = createServer((request, response) => {
    const asked = { method: 'GET', path: '/', headers: ['Host', 'registry'] }
    void serveBlob(
      { request, response, asked },
      { repository: repository.value, digest: DIGEST },
      deps,
    )
  })

  const answer = await fetch(await listening(gateway))

  expect(answer.status).toBe(status)
  expect(await answer.text()).toBe(body)
  for (const server of [registry, gateway]) server.close().closeAllConnections()
})

async function listening(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
