import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { LocalRegistry } from '../../../src/gateway/local/local-registry.ts'
import type { HttpServer } from '../../../src/http/server.ts'
import { startFront } from '../../support/network/gateway-front.ts'

export interface ProxySite extends AsyncDisposable {
  answer: (request: IncomingMessage, response: ServerResponse) => void
  readonly unreachable: string[]
  readonly behind: Server
  readonly local: LocalRegistry
  readonly front: HttpServer
  /** All that comes back on the connection. */
  say(words: string): Promise<string>
}

/** A gateway before a server that answers as a test has it. */
export async function proxySite(): Promise<ProxySite> {
  const unreachable: string[] = []
  const behind = createServer({ maxHeaderSize: 100_000 }, (request, response) => {
    site.answer(request, response)
  })
  behind.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    site.answer(request, response)
  })
  behind.listen(0, '127.0.0.1')
  await once(behind, 'listening')
  const { port } = behind.address() as AddressInfo
  const local = new LocalRegistry({ url: new URL(`http://127.0.0.1:${port}`) })
  const front = await startFront(() => local, unreachable)
  const site: ProxySite = {
    ...{ unreachable, behind, local, front },
    answer: (_request, response) => response.end(),
    async say(words) {
      const client = connect(front.address.port, '127.0.0.1')
      client.write(words)
      return await text(client)
    },
    async [Symbol.asyncDispose]() {
      await front.stop(0)
      local[Symbol.dispose]()
      behind.closeAllConnections()
      behind.close()
    },
  }
  return site
}
