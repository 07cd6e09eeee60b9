import { createServer, type IncomingMessage, request as httpRequest } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface ProxyOptions {
  /** Answers 407 to whoever does not show these. */
  readonly login?: { readonly username: string; readonly password: string }
  /** The port on 127.0.0.1 that stands for each host that is asked for; others get 502. */
  readonly hosts: Readonly<Record<string, number>>
  /** What CONNECT is answered with instead. */
  readonly refuseWith?: string
}

/** A small forward proxy on 127.0.0.1: CONNECT, and plain http with whole addresses. */
export interface TestProxy extends AsyncDisposable {
  /** `http://127.0.0.1:port`, without the login. */
  readonly url: string
  readonly host: string
  /** `CONNECT registry.test:443`, `GET http://registry.test/v2/`, in order. */
  readonly asked: readonly string[]
  /** The headers of each. */
  readonly headers: readonly IncomingMessage['headers'][]
}

export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  const asked: string[] = []
  const headers: IncomingMessage['headers'][] = []
  const sockets = new Set<Socket>()
  const record = (request: IncomingMessage) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`)
    headers.push(request.headers)
  }
  const server = createServer((request, response) => {
    record(request)
    const target = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : undefined
    const port = options.hosts[target?.hostname ?? '']
    if (!mayPass(request, options) || target === undefined || port === undefined) {
      response.writeHead(mayPass(request, options) ? 502 : 407).end('the proxy refuses')
      return
    }
    const { method, headers: sent } = request
    const path = target.pathname + target.search
    const onward = httpRequest({ host: '127.0.0.1', port, method, path, headers: sent }, (from) => {
      response.writeHead(from.statusCode ?? 502, from.headers)
      from.pipe(response)
    })
    onward.once('error', () => response.destroy())
    request.pipe(onward)
  })
  server.on('connect', (request, socket: Socket) => {
    record(request)
    const port = options.hosts[(request.url ?? '').replace(/:\d+$/, '')]
    const refusal = refusalOf(request, options, port)
    if (refusal !== undefined || port === undefined) {
      socket.end(`HTTP/1.1 ${refusal ?? '502 Bad Gateway'}\r\ncontent-length: 0\r\n\r\n`)
      return
    }
    tunnel(socket, connect(port, '127.0.0.1'), sockets)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // What listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    asked,
    headers,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function tunnel(client: Socket, onward: Socket, sockets: Set<Socket>): void {
  sockets.add(client).add(onward)
  onward.once('connect', () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    client.pipe(onward).pipe(client)
  })
  for (const [one, other] of [
    [client, onward],
    [onward, client],
  ] as const) {
    one.on('error', () => other.destroy())
    one.on('close', () => other.destroy())
  }
}

function refusalOf(request: IncomingMessage, options: ProxyOptions, port: number | undefined) {
  if (options.refuseWith !== undefined) return options.refuseWith
  if (!mayPass(request, options)) return '407 Proxy Authentication Required'
  return port === undefined ? '502 Bad Gateway' : undefined
}

function mayPass({ headers }: IncomingMessage, { login }: ProxyOptions): boolean {
  if (login === undefined) return true
  const pair = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  return headers['proxy-authorization'] === `Basic ${pair}`
}
