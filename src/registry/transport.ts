import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Readable } from 'node:stream'
import axios, { AxiosError, type AxiosInstance, type AxiosResponse } from 'axios'
import type { RegistryConfig } from '../config/config.ts'
import { abortReason, onAbort } from './aborting.ts'
import { guardedBody } from './body.ts'
import { CLOSED, CodedError } from './coded-error.ts'
import { type Asked, networkFailure } from './failures.ts'
import { guardedLookup, hostGuard } from './guard.ts'
import { ProxiedHttpAgent, ProxiedHttpsAgent } from './proxied-agents.ts'
import { proxyAuthorization } from './proxy-connection.ts'
import type { ProxyFor } from './proxy-environment.ts'
import { type RequestLimits, watchRequest } from './stall.ts'
import { tlsOptions } from './tls-options.ts'

/** One HTTP request: no redirects, no authentication, no second try. */
export interface Exchange extends Asked {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** A stream needs a `content-length` among the headers. */
  readonly body?: Buffer | Readable
  /** What the answer may take beyond a stall's limit, for work that the registry does before it answers. */
  readonly patienceMs?: number
  readonly signal: AbortSignal
}

export interface RegistryResponse {
  readonly status: number
  /** Where it came from, after redirects. */
  readonly url: URL
  readonly header: (name: string) => string | undefined
  /** What was asked of the token service and is not allowed by its token; absent when that is not known. */
  readonly lacks?: readonly string[]
  /** To be read to its end, destroyed, or given to `discard`; see `guardedBody`. */
  readonly body: Readable
}

export interface Transport {
  /** Whatever the status. Throws a RegistryError when no answer came, or the signal's reason. */
  readonly exchange: (exchange: Exchange) => Promise<RegistryResponse>
  /** Cuts every connection. */
  close(): void
}

export interface TransportOptions {
  /** Always sent: Docker Hub answers 403 to requests without one. */
  readonly userAgent: string
  /** The longest time in which no byte moves either way. */
  readonly stallTimeoutMs: number
  readonly proxyFor: ProxyFor
}

// The engine limits how much runs at once; this only keeps a mistake there from opening thousands.
const MAX_SOCKETS = 256
// Below the idle limits of common servers and load balancers, so that a kept connection is rarely dead.
const IDLE_SOCKET_MS = 30_000

export function createTransport(config: RegistryConfig, options: TransportOptions): Transport {
  const zoneOf = hostGuard(config)
  const { proxyFor } = options
  const clients = {
    home: createClient(config, proxyFor),
    abroad: createClient(config, proxyFor, true),
  }
  let closed = false
  return {
    exchange: async (exchange) => {
      exchange.signal.throwIfAborted()
      const cut = new AbortController()
      const stopListening = onAbort(exchange.signal, () => {
        cut.abort()
      })
      try {
        if (closed) throw closing()
        const client = clients[zoneOf(exchange.url)]
        return await send(client.axios, exchange, options, cut)
      } catch (error) {
        if (exchange.signal.aborted) throw abortReason(exchange.signal)
        throw networkFailure(exchange, closed ? closing() : causeOf(error, cut.signal))
      } finally {
        stopListening()
      }
    },
    close() {
      closed = true
      clients.home.close()
      clients.abroad.close()
    },
  }
}

function closing(): CodedError {
  return new CodedError(CLOSED, 'the connections were closed here')
}

interface Client {
  readonly axios: AxiosInstance
  close(): void
}

function createClient(config: RegistryConfig, proxyFor: ProxyFor, abroad = false): Client {
  const route = { proxyFor, guarded: abroad }
  const sockets = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    timeout: IDLE_SOCKET_MS,
    ...(abroad && { lookup: guardedLookup }),
  }
  const httpAgent = new ProxiedHttpAgent(route, sockets)
  const httpsAgent = new ProxiedHttpsAgent(route, {
    ...sockets,
    ...tlsOptions(config, abroad ? 'abroad' : 'home'),
  })
  return {
    axios: axios.create({ ...AS_IT_IS, httpAgent, httpsAgent }),
    close() {
      httpAgent.destroy()
      httpsAgent.destroy()
    },
  }
}

// Bytes pass as they are, and every answer is an answer. The two lengths stay at axios' -1: any number,
// Infinity too, makes it lead each body through one more stream.
const AS_IT_IS = {
  responseType: 'stream',
  proxy: false,
  maxRedirects: 0,
  maxBodyLength: -1,
  maxContentLength: -1,
  decompress: false,
  validateStatus: () => true,
} as const

async function send(
  client: AxiosInstance,
  exchange: Exchange,
  { userAgent, stallTimeoutMs, proxyFor }: TransportOptions,
  cut: AbortController,
): Promise<RegistryResponse> {
  const responseMs = stallTimeoutMs + (exchange.patienceMs ?? 0)
  const limits = { stallMs: stallTimeoutMs, responseMs }
  const forwardBy = exchange.url.protocol === 'http:' ? proxyFor(exchange.url) : undefined
  const watched = watchedTransport(limits, forwardBy, (stall) => {
    cut.abort(stall)
  })
  try {
    const response = await client.request<Readable>({
      method: exchange.method,
      url: exchange.url.href,
      headers: { ...DEFAULT_HEADERS, 'user-agent': userAgent, ...exchange.headers },
      data: exchange.body,
      signal: cut.signal,
      transport: watched,
    })
    return {
      status: response.status,
      url: exchange.url,
      header: (name) => headerOf(response, name),
      body: guardedBody(response.data, exchange, stallTimeoutMs, exchange.signal),
    }
  } finally {
    watched.stop()
  }
}

// false keeps axios from saying that a POST without a body is a form.
const DEFAULT_HEADERS = { accept: '*/*', 'accept-encoding': 'identity', 'content-type': false }

/** Node's own transport, with an eye on the request until its response has come. */
function watchedTransport(
  limits: RequestLimits,
  forwardBy: URL | undefined,
  stalled: (error: Error) => void,
) {
  let stop = (): void => undefined
  return {
    stop() {
      stop()
    },
    request(options: RequestOptions, answered: (response: IncomingMessage) => void): ClientRequest {
      const start = options.protocol === 'https:' ? httpsRequest : httpRequest
      const request = start(forwarded(options, forwardBy), answered)
      if (forwardBy !== undefined) addHeaders(request, proxyAuthorization(forwardBy))
      stop = watchRequest(request, limits, stalled)
      return request
    },
  }
}

/** Plain http goes to a proxy whole, with the address in the request itself (RFC 9112, 3.2.2). */
function forwarded(options: RequestOptions, proxy: URL | undefined): RequestOptions {
  if (proxy === undefined) return options
  const { hostname, port, path } = options
  const origin = new URL(`http://${bracketed(hostname ?? '')}:${port ?? ''}`).origin
  return { ...options, path: `${origin}${path ?? '/'}` }
}

function addHeaders(request: ClientRequest, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) request.setHeader(name, value)
}

function bracketed(hostname: string): string {
  return hostname.includes(':') ? `[${hostname}]` : hostname
}

function headerOf({ headers }: AxiosResponse, name: string): string | undefined {
  const value: unknown = headers[name]
  return typeof value === 'string' ? value : undefined
}

// An AxiosError holds the request with its Authorization; only what lies beneath may travel on.
function causeOf(error: unknown, cut: AbortSignal): unknown {
  if (cut.aborted) return cut.reason
  if (!(error instanceof AxiosError)) return error
  return error.cause ?? Object.assign(new Error(error.message), { code: error.code })
}
