import { createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The way to a registry, on which requests can be held up before they reach it. */
export interface HeldRequests extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /** Holds up the next request like this, until `release`. */
  hold(method: string, path: RegExp): void
  /** Whether one is being held up now. */
  held(): boolean
  release(): void
}

/** A reverse proxy to a port of 127.0.0.1. */
export async function startHeldRequests(port: number): Promise<HeldRequests> {
  let isHeld: (request: IncomingMessage) => boolean = () => false
  const waiting: (() => void)[] = []
  const server = createServer((request, response) => {
    const { method, url, headers } = request
    const pass = () => {
      const passed = httpRequest({ host: '127.0.0.1', port, method, path: url, headers })
      passed.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
        answer.pipe(response)
      })
      passed.on('error', () => response.destroy())
      request.pipe(passed)
    }
    if (isHeld(request)) {
      isHeld = () => false
      waiting.push(pass)
    } else {
      pass()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold(method, path) {
      isHeld = (request) => request.method === method && path.test(request.url ?? '')
    },
    held: () => waiting.length > 0,
    release() {
      isHeld = () => false
      for (const pass of waiting.splice(0)) pass()
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
