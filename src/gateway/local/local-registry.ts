import {
  type Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as http,
} from 'node:http'
import { request as https } from 'node:https'
import type { LocalConfig } from '../../config/config.ts'
import { type BlobAnswer, blobAnswer } from './blob-answer.ts'
import { connectsSoon } from '../../http-client/connecting.ts'
import type { Bounds } from '../../http-client/connection.ts'
import { type Place, placeOf } from '../../http-client/dial.ts'
import { MAX_HEAD_BYTES } from '../../http-client/response-head.ts'
import { BlobConnections } from './blob-connections.ts'
import { withoutHeaders } from '../framing/forwarded-headers.ts'
import { type Framing, NO_BODY } from '../framing/framing.ts'
import type { ForwardedRequest } from './forwarded-request.ts'
import { WaryHttpAgent, WaryHttpsAgent } from './wary-agents.ts'

/** Where the local registry is and how it is trusted. */
export type LocalRegistryConfig = Pick<LocalConfig, 'url' | 'ca' | 'redirectBlobsTo'>

// Node's own 16 KiB stop and start a fast answer with each piece that a socket gives.
const BUFFERED_BYTES = 256 * 1024

const BOUNDS: Bounds = {
  // nginx is told the same for registries.
  idleMs: 900_000,
  // Most registries keep a connection for longer; where one does not, the request is repeated.
  keptMs: 10_000,
}

const KEEP_ALIVE_MS = 1_000

const OF_BODIES = ['Content-Length', 'Transfer-Encoding']
/** Methods whose requests have no body unless they say so, RFC 9110, section 9.3. */
const WITHOUT_BODY = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

/** The connections from the gateway to the local registry. No credentials but the client's own. */
export class LocalRegistry implements Disposable {
  readonly #config: LocalRegistryConfig
  readonly #place: Place
  readonly #idleMs: number
  readonly #agent: HttpAgent
  /** A kept connection may have ended at the other side just now, and what changes something is sent once. */
  readonly #anew: HttpAgent
  readonly #blobs: BlobConnections

  constructor(config: LocalRegistryConfig, bounds = BOUNDS) {
    this.#config = config
    this.#place = placeOf(config.url)
    this.#idleMs = bounds.idleMs
    const options = { noDelay: true, highWaterMark: BUFFERED_BYTES, ca: config.ca }
    // The time limit of an agent is that of what it keeps; a request has its own.
    const kept = { keepAlive: true, scheduling: 'lifo' as const, timeout: bounds.keptMs }
    const Agent = config.url.protocol === 'https:' ? WaryHttpsAgent : WaryHttpAgent
    this.#agent = new Agent({ ...options, ...kept })
    this.#anew = new Agent(options)
    this.#blobs = new BlobConnections(config.url, bounds, config.ca)
  }

  /** With its port, unless that is the usual one. */
  get host(): string {
    return this.#config.url.host
  }

  /** Where a client finds that path itself; undefined where it is to come through the gateway. */
  addressFor(path: string): string | undefined {
    const { redirectBlobsTo } = this.#config
    return redirectBlobsTo && redirectBlobsTo.href.replace(/\/$/, '') + path
  }

  /**
   * Begins a request. A body is for the caller to write, exactly as it is announced here, and to end: nothing else
   * of the request tells the registry where it ends.
   */
  begin({ method, path, headers }: ForwardedRequest, body: Framing = NO_BODY): ClientRequest {
    const { url } = this.#config
    const { host, port } = this.#place
    const begin = url.protocol === 'https:' ? https : http
    const request = begin({
      protocol: url.protocol,
      hostname: host,
      port,
      method,
      path: url.pathname.replace(/\/$/, '') + path,
      headers: [...withoutHeaders(headers, OF_BODIES), ...framingHeaders(method, body)],
      setHost: false,
      agent: isRepeatable({ method }) ? this.#agent : this.#anew,
      timeout: this.#idleMs,
      maxHeaderSize: MAX_HEAD_BYTES,
    })
    request.once('socket', (socket) => connectsSoon(socket, this.#place))
    // What stands in between forgets a connection that is silent while the registry works.
    request.setSocketKeepAlive(true, KEEP_ALIVE_MS)
    // Or Node would frame the body of an answer by headers that it does not show.
    request.maxHeadersCount = 0
    request.once('timeout', () => {
      request.destroy(new Error(`no byte moved for ${this.#idleMs / 1_000} s`))
    })
    return request
  }

  /** A GET or HEAD, answered. Once more when a kept connection turned out to be closed. */
  async ask(forwarded: ForwardedRequest, signal?: AbortSignal): Promise<IncomingMessage> {
    try {
      return await this.#askOnce(forwarded, signal)
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error
      return await this.#askOnce(forwarded, signal)
    }
  }

  /** The same for what may be large, with less work for each byte where that is possible. */
  async askForBlob(forwarded: ForwardedRequest, signal: AbortSignal): Promise<BlobAnswer> {
    const fast = await this.#blobs.ask(forwarded, signal)
    return fast ?? blobAnswer(await this.ask(forwarded, signal))
  }

  /** Ends what is idle now; what is in use ends with its request. */
  retire(): void {
    for (const idle of Object.values(this.#agent.freeSockets).flat()) idle?.destroy()
    this.#blobs.retire()
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
    this.#anew.destroy()
    this.#blobs[Symbol.dispose]()
  }

  async #askOnce(forwarded: ForwardedRequest, signal?: AbortSignal): Promise<IncomingMessage> {
    const request = this.begin(forwarded)
    const abort = () => request.destroy(signal?.reason as Error)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    request.once('close', () => signal?.removeEventListener('abort', abort))
    request.end()
    return await answerOf(request)
  }
}

/** Whether it can be asked twice without anything being done twice, RFC 9110, section 9.2.1; it has no body. */
export function isRepeatable({ method }: Pick<ForwardedRequest, 'method'>): boolean {
  return method === 'GET' || method === 'HEAD'
}

function framingHeaders(method: string, body: Framing): string[] {
  if (body.kind === 'open') return ['Transfer-Encoding', 'chunked']
  if (body.kind === 'length') return ['Content-Length', `${body.bytes}`]
  return WITHOUT_BODY.has(method) ? [] : ['Content-Length', '0']
}

/** Of a connection: Linux says the second where the other side had ended its half of it before. */
const ENDED_THERE = new Set<string | undefined>(['ECONNRESET', 'EPIPE'])

/** Resolves with the head of the answer. Whoever gets it has to read or destroy its body. */
export async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && ENDED_THERE.has(error.code)
      reject(stale ? new StaleConnectionError(error.message, { cause: error }) : error)
    })
  })
}

/** The registry had closed the connection before the request reached it. */
class StaleConnectionError extends Error {
  override readonly name = 'StaleConnectionError'
}
