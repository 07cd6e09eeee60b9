import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

/** Answers everything with 503. */
export interface SickServer extends AsyncDisposable {
  readonly port: number
}

export async function startSickServer(): Promise<SickServer> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(503, { 'content-type': 'application/json', connection: 'close' })
    response.end('{"errors":[{"code":"UNAVAILABLE","message":"service unavailable"}]}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    // What listens on TCP has an address of this kind.
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
