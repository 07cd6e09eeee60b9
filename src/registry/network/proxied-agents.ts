import { type AgentOptions, type ClientRequestArgs, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent, type AgentOptions as HttpsAgentOptions } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import { checkName } from './guard.ts'
import { connectProxy } from './proxy-connection.ts'
import type { ProxyFor } from './proxy-environment.ts'

/** How an agent reaches what it is asked for. */
export interface Route {
  readonly proxyFor: ProxyFor
  /** The names of hosts are checked first: a proxy resolves them, so no check is made when connecting. */
  readonly guarded: boolean
}

type Created = (error: Error | null, socket: Duplex) => void

interface SecureOptions extends HttpsAgentOptions {
  readonly lookup?: LookupFunction
}

/** Sends TLS through the tunnel that a proxy opens, so the proxy sees nothing but the host's name. */
export class ProxiedHttpsAgent extends HttpsAgent {
  readonly #ways: Ways
  readonly #context: (() => SecureContext) | undefined

  /** @param context whom to trust, asked for each connection; may throw. Node's own authorities unless told */
  constructor(route: Route, options: SecureOptions, context?: () => SecureContext) {
    super(options)
    this.#ways = new Ways(route, 'https:')
    this.#context = context
  }

  override createConnection(options: ClientRequestArgs, created?: Created) {
    const secureContext = this.#context?.()
    const secure = { ...options, ...(secureContext && { secureContext }) }
    const found = this.#ways.to(options, (socket) => {
      const through: ClientRequestArgs & { readonly socket: Duplex } = { ...secure, socket }
      return super.createConnection(through) ?? socket
    })
    if (found === undefined) return super.createConnection(secure, created)
    giveTo(created, found)
    return undefined
  }

  override destroy(): void {
    this.#ways.close()
    super.destroy()
  }
}

/** Sends plain http to a proxy, which must be told the whole address; see `forwarded`. */
export class ProxiedHttpAgent extends HttpAgent {
  readonly #ways: Ways

  constructor(route: Route, options: AgentOptions & { readonly lookup?: LookupFunction }) {
    super(options)
    this.#ways = new Ways(route, 'http:')
  }

  override createConnection(options: ClientRequestArgs, created?: Created) {
    const found = this.#ways.to(options, (socket) => socket)
    if (found === undefined) return super.createConnection(options, created)
    giveTo(created, found)
    return undefined
  }

  override destroy(): void {
    this.#ways.close()
    super.destroy()
  }
}

/** The connections of one agent that are being made through proxies. */
class Ways {
  readonly #route: Route
  readonly #protocol: 'http:' | 'https:'
  readonly #closing = new AbortController()

  constructor(route: Route, protocol: 'http:' | 'https:') {
    this.#route = route
    this.#protocol = protocol
  }

  /** Undefined for what is connected to directly. */
  to(options: ClientRequestArgs, use: (socket: Duplex) => Duplex): Promise<Duplex> | undefined {
    const target = urlOf(this.#protocol, options)
    const proxy = this.#route.proxyFor(target)
    return proxy === undefined ? undefined : this.#through(proxy, target, use)
  }

  close(): void {
    this.#closing.abort()
  }

  async #through(proxy: URL, target: URL, use: (socket: Duplex) => Duplex): Promise<Duplex> {
    if (this.#route.guarded) await checkName(target.hostname)
    const tunnelTo = this.#protocol === 'https:' ? target : undefined
    return use(await connectProxy(proxy, tunnelTo, this.#closing.signal))
  }
}

function giveTo(created: Created | undefined, found: Promise<Duplex>): void {
  found.then(
    (socket) => created?.(null, socket),
    // Node's agents look at the socket only when there is no error.
    (error: unknown) => created?.(error as Error, undefined as unknown as Duplex),
  )
}

function urlOf(protocol: string, { host, port }: ClientRequestArgs): URL {
  const name = host ?? 'localhost'
  return new URL(`${protocol}//${name.includes(':') ? `[${name}]` : name}:${port ?? ''}`)
}
