import { Answer } from '../../http-client/answer.ts'
import { AnswerBody } from '../../http-client/answer-body.ts'
import type { SecureContext } from 'node:tls'
import type { Bounds, Connection } from '../../http-client/connection.ts'
import { type ConnectionOptions, Connections } from '../../http-client/connections.ts'
import { dialer, placeOf } from '../../http-client/dial.ts'
import { newBlocks } from '../../http-client/memory.ts'
import { OddServers } from '../../http-client/odd-servers.ts'
import { Places } from '../../http-client/places.ts'
import { getHead } from '../../http-client/request-head.ts'
import { headerIn } from '../../http-client/response-head.ts'
import { guardedLookup, type Zone } from '../network/guard.ts'
import { guardedBody } from './body.ts'
import type { AnswerLimits } from './brief-limit.ts'
import type { Exchange, RegistryResponse, TransportOptions } from './exchange.ts'
import { watchRequest } from './stall.ts'

/** As the agents of the general client have it. */
const BOUNDS: Bounds = {
  // The request is watched until its answer comes, and the answer's body is guarded.
  idleMs: 0,
  keptMs: 30_000,
}

export type ContextOf = (zone: Zone) => SecureContext

/** Connections to registries and to where they redirect to. */
export function registryPlaces(
  contextOf: ContextOf,
  options: Omit<ConnectionOptions, 'dial' | 'bounds'>,
): Places<Zone> {
  return new Places((url, zone) => {
    const guarded = zone === 'abroad' && { lookup: guardedLookup }
    const dial = dialer(placeOf(url), () => ({ secureContext: contextOf(zone), ...guarded }))
    return new Connections({ ...options, dial, bounds: BOUNDS })
  })
}

/** One exchange that is under way. */
export interface Asking {
  readonly exchange: Exchange
  readonly limits: AnswerLimits
  /** Ends the request, until its answer has come; aborted when it stalls. */
  readonly cut: AbortController
}

/** Gets what may be gigabytes, with little work for each byte: read once, into memory that it stays in. */
export class LargeAnswers {
  readonly #options: TransportOptions
  readonly #places: Places<Zone>
  readonly #odd = new OddServers()

  constructor(contextOf: ContextOf, options: TransportOptions) {
    this.#options = options
    this.#places = registryPlaces(contextOf, { memory: () => newBlocks })
  }

  /** Undefined where it has to be asked for in another way. Throws when there is no answer. */
  async get(asking: Asking, zone: Zone): Promise<RegistryResponse | undefined> {
    const { exchange, limits, cut } = asking
    const { url, signal } = exchange
    const { proxyFor } = this.#options
    // Node gives the bytes of TLS that goes through a tunnel of somebody else in its own way only.
    if (proxyFor(url) !== undefined || this.#odd.has(url)) return undefined
    const head = getHead(url.pathname + url.search, this.#headers(exchange))
    if (head === undefined) return undefined
    using watch = new ConnectionWatch(asking)
    const askedAt = performance.now()
    const asked = await this.#places.at(url, zone).ask(head, cut.signal, (connection) => {
      watch.connection = connection
    })
    if (!(asked instanceof Answer)) {
      // An error may come from something before it.
      if ((asked.status ?? 200) < 300) this.#odd.note(url)
      return undefined
    }
    limits.answered(performance.now() - askedAt)
    const { head: answered } = asked
    const header = (name: string) => headerIn(answered, name)
    const body = guardedBody(new AnswerBody(asked), exchange, limits, signal)
    return { status: answered.status, url, header, body }
  }

  close(): void {
    this.#places[Symbol.dispose]()
  }

  #headers({ url, headers }: Exchange): readonly string[] {
    const always = { accept: '*/*', 'accept-encoding': 'identity' }
    const own = { host: url.host, ...always, 'user-agent': this.#options.userAgent }
    return Object.entries({ ...own, ...headers }).flat()
  }
}

/** Until an answer comes. */
export class ConnectionWatch implements Disposable {
  connection: Connection | undefined
  readonly #stop: () => void

  constructor({ exchange, limits, cut }: Asking) {
    const { stallMs, totalMs = Infinity } = limits
    const watched = {
      moved: () => this.connection?.moved ?? 0,
      sent: () => this.connection?.connecting === false && this.connection.idle,
      waits: () => this.connection === undefined,
    }
    const responseMs = stallMs + (exchange.patienceMs ?? 0)
    this.#stop = watchRequest(watched, { stallMs, responseMs, totalMs }, (stall) => {
      limits.stalled()
      cut.abort(stall)
    })
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}
