import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { boundUnanswered } from './limits/unanswered-requests.ts'
import { boundUnfinishedHeads } from './limits/unfinished-heads.ts'
import { boundUnreadAnswers } from './limits/unread-answers.ts'
import { ListenError, type ListenAddress } from './listen-error.ts'

export interface HttpServerOptions {
  readonly address: ListenAddress
  /** The key in the configuration that says where to listen: named when that does not work. */
  readonly configKey: string
  /** For head and body of a request together; 0 is no limit, for listeners that take uploads. */
  readonly requestTimeoutMs?: number
  /** Ends a connection on which nothing has moved for so long; never unless told. */
  readonly idleTimeoutMs?: number
  /** Of answers that clients do not read, over all connections; 256 MiB unless told. */
  readonly maxUnreadBytes?: number
  /** Requests whose handler itself says `100 Continue`; for all others it is said at once. */
  readonly answersExpect?: (request: IncomingMessage) => boolean
}

export interface HttpServer extends AsyncDisposable {
  /** Where it really listens, also when port 0 was asked for. */
  readonly address: ListenAddress
  /** `http://host:port` as a program on this machine reaches it. */
  readonly url: string
  /**
   * Takes no more connections, lets running requests finish for at most `graceMs`, then cuts what is
   * left. Calling it again waits for the same end.
   */
  stop(graceMs?: number): Promise<void>
}

// A sender gets these to hand over a delivery; a registry's own time limit is a second or so.
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000
// Longer than the 60 s of the usual reverse proxies, or they would use a connection just being closed.
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const CHECK_TIMEOUTS_EVERY_MS = 5_000
// Per connection and direction. Node's own 16 KiB are less than a socket gives at once.
const BUFFERED_BYTES = 256 * 1024
const GRACE_MS = 10_000
// Tokens of clients are longer than Node's 16 KiB.
const MAX_HEAD_BYTES = 64 * 1024
const MAX_UNFINISHED_HEADS_BYTES = 16 * 1024 * 1024
const MAX_UNREAD_BYTES = 256 * 1024 * 1024

/** @throws ListenError when the address cannot be listened on */
export async function startHttpServer(
  listener: RequestListener,
  options: HttpServerOptions,
): Promise<HttpServer> {
  const { address, configKey, requestTimeoutMs = REQUEST_TIMEOUT_MS, idleTimeoutMs = 0 } = options
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_TIMEOUTS_EVERY_MS,
    highWaterMark: BUFFERED_BYTES,
    maxHeaderSize: MAX_HEAD_BYTES,
  })
  // The size of the head bounds them. Of a number, Node's parser would still obey those that it does not show.
  server.maxHeadersCount = 0
  server.timeout = idleTimeoutMs
  boundUnfinishedHeads(server, MAX_UNFINISHED_HEADS_BYTES)
  boundUnreadAnswers(server, options.maxUnreadBytes ?? MAX_UNREAD_BYTES)
  const drain = drainable(server)
  server.on('request', boundUnanswered(listener))
  server.on('checkContinue', (request, response) => {
    if (options.answersExpect?.(request) !== true) response.writeContinue()
    server.emit('request', request, response)
  })
  const port = await listen(server, address, configKey)
  let stopped: Promise<void> | undefined
  const stop = (graceMs = GRACE_MS): Promise<void> => (stopped ??= drain(graceMs))
  const bound = { host: address.host, port }
  return { address: bound, url: urlOf(bound), stop, [Symbol.asyncDispose]: () => stop() }
}

async function listen(server: Server, address: ListenAddress, configKey: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new ListenError(address, configKey, cause))
    })
    server.listen({ host: address.host, port: address.port }, resolve)
  })
  server.removeAllListeners('error')
  return portOf(server.address(), address.port)
}

function portOf(address: AddressInfo | string | null, asked: number): number {
  return typeof address === 'object' && address !== null ? address.port : asked
}

function urlOf({ host, port }: ListenAddress): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

/** Must be called before the server's first request: it has to see every response. */
function drainable(server: Server): (graceMs: number) => Promise<void> {
  const running = new Set<{ readonly headersSent: boolean; shouldKeepAlive: boolean }>()
  /** Connections on which nothing was ever asked; Node does not count them among the idle ones. */
  const unused = new Set<Socket>()
  let draining = false
  server.on('connection', (socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', (request, response) => {
    const { socket } = request
    unused.delete(socket)
    running.add(response)
    response.shouldKeepAlive &&= !draining
    // An answer whose turn on the connection has not come is not told that the connection has ended; its request is.
    request.once('close', () => {
      if (socket.destroyed) running.delete(response)
    })
    response.once('close', () => {
      running.delete(response)
      // A response that had already promised keep-alive leaves an idle connection behind.
      if (draining)
        setImmediate(() => {
          server.closeIdleConnections()
        })
    })
  })
  return async (graceMs) => {
    draining = true
    for (const response of running) response.shouldKeepAlive = false
    for (const socket of unused) if (socket.bytesRead === 0) socket.destroy()
    const closed = new Promise<void>((resolve) =>
      server.close(() => {
        resolve()
      }),
    )
    const deadline = setTimeout(() => {
      server.closeAllConnections()
    }, graceMs)
    await closed
    clearTimeout(deadline)
  }
}
