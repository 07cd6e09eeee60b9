import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingMessage,
  request as http,
} from 'node:http'
import { Agent as HttpsAgent, request as https } from 'node:https'
import type { LocalConfig } from '../config/config.ts'
import { type BlobAnswer, blobAnswer } from './blob-answer.ts'
import type { Bounds } from './blob-connection.ts'
import { BlobConnections } from './blob-connections.ts'
import { type RawHeaders, withoutHeaders } from './forwarded-headers.ts'

/** What is asked of the local registry, in a client's name. */
export interface Asked {
  readonly method: string
  /** As the client wrote it, with the query. */
  readonly path: string
  readonly headers: RawHeaders
}

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

/** A length without its body would have the registry take the next request on the connection for it. */
const OF_BODIES = ['Content-Length', 'Transfer-Encoding', 'Expect']

/** The connections from the gateway to the local registry. No credentials but the client's own. */
export class LocalRegistry implements Disposable {
  readonly #config: LocalRegistryConfig
  readonly #idleMs: number
  readonly #agent: HttpAgent
  /** Not where TLS is spoken: it reads into memory of its own. */
  readonly #blobs: BlobConnections | undefined

  constructor(config: LocalRegistryConfig, bounds = BOUNDS) {
    this.#config = config
    this.#idleMs = bounds.idleMs
    const options = {
      ...{ keepAlive: true, noDelay: true, scheduling: 'lifo' as const },
      highWaterMark: BUFFERED_BYTES,
    }
    const secure = config.url.protocol === 'https:'
    this.#agent = secure ? new HttpsAgent({ ...options, ca: config.ca }) : new HttpAgent(options)
    this.#blobs = secure ? undefined : new BlobConnections(config.url, bounds)
  }

  /** Where a client finds that path itself; undefined where it is to come through the gateway. */
  addressFor(path: string): string | undefined {
    const { redirectBlobsTo } = this.#config
    return redirectBlobsTo && redirectBlobsTo.href.replace(/\/$/, '') + path
  }

  /** Begins a request; its body, if it has one, is for the caller to write and end. */
  begin({ method, path, headers }: Asked): ClientRequest {
    const { url } = this.#config
    const begin = url.protocol === 'https:' ? https : http
    const request = begin({
      protocol: url.protocol,
      // A bracketed IPv6 address is no host name.
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      method,
      path: url.pathname.replace(/\/$/, '') + path,
      headers,
      setHost: false,
      agent: this.#agent,
      timeout: this.#idleMs,
    })
    request.once('timeout', () => {
      request.destroy(new Error(`no byte moved for ${this.#idleMs / 1_000} s`))
    })
    return request
  }

  /** A request without a body, answered. Once more when a kept connection turned out to be closed. */
  async ask(asked: Asked, signal?: AbortSignal): Promise<IncomingMessage> {
    const bodiless = { ...asked, headers: withoutHeaders(asked.headers, OF_BODIES) }
    try {
      return await this.#askOnce(bodiless, signal)
    } catch (error) {
      if (!(error instanceof StaleConnectionError)) throw error
      return await this.#askOnce(bodiless, signal)
    }
  }

  /** The same for what may be large, with less work for each byte where that is possible. */
  async askForBlob(asked: Asked, signal: AbortSignal): Promise<BlobAnswer> {
    const fast = await this.#blobs?.ask(asked, signal)
    return fast ?? blobAnswer(await this.ask(asked, signal))
  }

  /** Ends what is idle now; what is in use ends with its request. */
  retire(): void {
    for (const idle of Object.values(this.#agent.freeSockets).flat()) idle?.destroy()
    this.#blobs?.retire()
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
    this.#blobs?.[Symbol.dispose]()
  }

  async #askOnce(asked: Asked, signal?: AbortSignal): Promise<IncomingMessage> {
    const request = this.begin(asked)
    const abort = () => request.destroy(signal?.reason as Error)
    if (signal?.aborted === true) abort()
    signal?.addEventListener('abort', abort, { once: true })
    request.once('close', () => signal?.removeEventListener('abort', abort))
    request.end()
    return await answerOf(request)
  }
}

/** Resolves with the head of the answer. Whoever gets it has to read or destroy its body. */
export async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return await new Promise((resolve, reject) => {
    request.once('response', resolve)
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && error.code === 'ECONNRESET'
      reject(stale ? new StaleConnectionError(error.message, { cause: error }) : error)
    })
  })
}

/** The registry had closed the connection before the request reached it. */
class StaleConnectionError extends Error {
  override readonly name = 'StaleConnectionError'
}
