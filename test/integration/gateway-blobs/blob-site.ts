import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { startFront } from '../../support/network/gateway-front.ts'
import {
  type RegistryInBytes,
  startRegistryInBytes,
} from '../../support/registry/registry-in-bytes.ts'

export const BLOB = randomBytes(3_000_000)
export const PATH = `/v2/team/app/blobs/${digestOf(BLOB)}`

export interface BlobSite extends AsyncDisposable {
  readonly behind: RegistryInBytes
  local: LocalRegistry
  readonly front: HttpServer
  readonly unreachable: string[]
  pull(headers?: Record<string, string>, agent?: Agent): Promise<IncomingMessage>
  pullWhole(headers?: Record<string, string>, agent?: Agent): Promise<Buffer>
}

/** A gateway before a registry that answers byte for byte as a test has it. */
export async function blobSite(): Promise<BlobSite> {
  const unreachable: string[] = []
  const behind = await startRegistryInBytes(BLOB)
  const front = await startFront(() => site.local, unreachable)
  const site: BlobSite = {
    ...{ behind, front, unreachable },
    local: new LocalRegistry({ url: behind.url }),
    async pull(headers = {}, agent = new Agent()) {
      const asking = get(`${front.url}${PATH}`, { headers, agent })
      const [answer] = (await once(asking, 'response')) as [IncomingMessage]
      return answer
    },
    async pullWhole(headers, agent) {
      return await buffer(await site.pull(headers, agent))
    },
    async [Symbol.asyncDispose]() {
      await front.stop(0)
      site.local[Symbol.dispose]()
      behind[Symbol.dispose]()
    },
  }
  return site
}
