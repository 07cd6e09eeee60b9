import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Readable } from 'node:stream'
import type { SecureContext } from 'node:tls'
import axios, {
  type AxiosAdapter,
  AxiosError,
  AxiosHeaders,
  type AxiosInstance,
  type AxiosResponse,
} from 'axios'
import type { RegistryConfig } from '../../config/config.ts'
import { abortReason, onAbort } from '../../waiting/aborting.ts'
import { guardedBody } from './body.ts'
import { answerLimits } from './brief-limit.ts'
import { MAX_HEAD_BYTES, MAX_HEADERS } from '../../http-client/response-head.ts'
import { CLOSED, CodedError } from '../words/coded-error.ts'
import { networkFailure } from '../errors/failures.ts'
import { guardedLookup, hostGuard, type Zone } from '../network/guard.ts'
import type { Exchange, RegistryResponse, TransportOptions } from './exchange.ts'
import { type Asking, LargeAnswers } from './large-answers.ts'
import { PlainExchanges, WholeBody } from './plain-exchanges.ts'
import { ProxiedHttpAgent, ProxiedHttpsAgent } from '../network/proxied-agents.ts'
import { proxyAuthorization } from '../network/proxy-connection.ts'
import type { ProxyFor } from '../network/proxy-environment.ts'
import { type RequestLimits, watchedRequest, watchRequest } from './stall.ts'
import { secureContexts } from './tls-options.ts'

export interface Transport {
  /** Whatever the status. Throws a RegistryError when no answer came, or the signal's reason. */
  readonly exchange: (exchange: Exchange) => Promise<RegistryResponse>
  /** Cuts every connection. */
  close(): void
}

// The engine limits how much runs at once; this only keeps a mistake there from opening thousands.
const MAX_SOCKETS = 256
// Below the idle limits of common servers and load balancers, so that a kept connection is rarely dead.
const IDLE_SOCKET_MS = 30_000

export function createTransport(config: RegistryConfig, options: TransportOptions): Transport {
  const zoneOf = hostGuard(config)
  const { proxyFor } = options
  const contextOf = secureContexts(config)
  const clients = {
    home: createClient('home', proxyFor, () => contextOf('home')),
    abroad: createClient('abroad', proxyFor, () => contextOf('abroad')),
  }
  const large = new LargeAnswers(contextOf, options)
  const plain = new PlainExchanges(contextOf, options)
  const limitsOf = answerLimits(options)
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
        const zone = zoneOf(exchange.url)
        const asking = { exchange, limits: limitsOf(exchange), cut }
        const got = exchange.large === true ? await large.get(asking, zone) : undefined
        const adapter = adapterFor(plain, asking, zone)
        return got ?? (await send({ client: clients[zone].axios, adapter }, asking, options))
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
      large.close()
      plain.close()
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

function createClient(zone: Zone, proxyFor: ProxyFor, context: () => SecureContext): Client {
  const abroad = zone === 'abroad'
  const route = { proxyFor, guarded: abroad }
  const sockets = {
    keepAlive: true,
    maxSockets: MAX_SOCKETS,
    timeout: IDLE_SOCKET_MS,
    ...(abroad && { lookup: guardedLookup }),
  }
  const httpAgent = new ProxiedHttpAgent(route, sockets)
  const httpsAgent = new ProxiedHttpsAgent(route, sockets, context)
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

const THROUGH_NODE = axios.getAdapter('http')

/** Over connections of our own where they can carry the request, else through Node's client. */
function adapterFor(plain: PlainExchanges, asking: Asking, zone: Zone): AxiosAdapter {
  return async (config) => {
    const headers = AxiosHeaders.from(config.headers).toJSON(true)
    const answer = await plain.exchange(asking, zone, headers)
    return answer === undefined ? await THROUGH_NODE(config) : { ...answer, config }
  }
}

interface Sender {
  readonly client: AxiosInstance
  readonly adapter: AxiosAdapter
}

async function send(
  { client, adapter }: Sender,
  { exchange, limits, cut }: Asking,
  { userAgent, proxyFor }: TransportOptions,
): Promise<RegistryResponse> {
  const { stallMs, totalMs = Infinity } = limits
  const responseMs = stallMs + (exchange.patienceMs ?? 0)
  const askedAt = performance.now()
  const forwardBy = exchange.url.protocol === 'http:' ? proxyFor(exchange.url) : undefined
  const watched = watchedTransport({ stallMs, responseMs, totalMs }, forwardBy, (stall) => {
    limits.stalled()
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
      adapter,
    })
    limits.answered(performance.now() - askedAt)
    return {
      status: response.status,
      url: exchange.url,
      header: (name) => headerOf(response, name),
      body:
        // All of it is here.
        response.data instanceof WholeBody
          ? response.data
          : guardedBody(response.data, exchange, limits, exchange.signal),
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
      // Those beyond that are not shown; what the body's end is told by counts wherever it stands.
      request.maxHeadersCount = MAX_HEADERS
      if (forwardBy !== undefined) addHeaders(request, proxyAuthorization(forwardBy))
      stop = watchRequest(watchedRequest(request), limits, stalled)
      return request
    },
  }
}

/** With heads as long as registries send; plain http goes to a proxy whole, with the address in the request itself (RFC 9112, 3.2.2). */
function forwarded(options: RequestOptions, proxy: URL | undefined): RequestOptions {
  const long = { ...options, maxHeaderSize: MAX_HEAD_BYTES }
  if (proxy === undefined) return long
  const { hostname, port, path } = options
  const origin = new URL(`http://${bracketed(hostname ?? '')}:${port ?? ''}`).origin
  return { ...long, path: `${origin}${path ?? '/'}` }
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
