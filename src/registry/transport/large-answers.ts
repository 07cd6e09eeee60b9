import { Answer } from '../../http-client/answer.ts'
import { AnswerBody } from '../../http-client/answer-body.ts'
import type { SecureContext } from 'node:tls'
import type { Bounds, Connection, Dial } from '../../http-client/connection.ts'
import { Connections } from '../../http-client/connections.ts'
import { dialer, placeOf } from '../../http-client/dial.ts'
import { newBlocks } from '../../http-client/memory.ts'
import { getHead } from '../../http-client/request-head.ts'
import { guardedLookup, type Zone } from '../network/guard.ts'
import { guardedBody } from './body.ts'
import type { AnswerLimits } from './brief-limit.ts'
import type { Exchange, RegistryResponse, TransportOptions } from './exchange.ts'
import { watchRequest } from './stall.ts'

/** As the agents of all other requests have it. */
const BOUNDS: Bounds = {
  // The request is watched until its answer comes, and the answer's body is guarded.
  idleMs: 0,
  keptMs: 30_000,
}
/** Object stores have one host for each bucket; a connection to one that was forgotten is made anew. */
const PLACES_REMEMBERED = 100

/** One exchange that is under way. */
export interface Asking {
  readonly exchange: Exchange
  readonly limits: AnswerLimits
  /** Ends the request, until its answer has come; aborted when it stalls. */
  readonly cut: AbortController
}

/** Gets what may be gigabytes, with little work for each byte: read once, into memory that it stays in. */
export class LargeAnswers {
  readonly #contextOf: (zone: Zone) => SecureContext
  readonly #options: TransportOptions
  readonly #places = new Map<string, Connections>()

  constructor(contextOf: (zone: Zone) => SecureContext, options: TransportOptions) {
    this.#contextOf = contextOf
    this.#options = options
  }

  /** Undefined where it has to be asked for in another way. Throws when there is no answer. */
  async get(asking: Asking, zone: Zone): Promise<RegistryResponse | undefined> {
    const { exchange, limits, cut } = asking
    const { url, signal } = exchange
    const { proxyFor } = this.#options
    // Node gives the bytes of TLS that goes through a tunnel of somebody else in its own way only.
    if (proxyFor(url) !== undefined) return undefined
    const head = getHead(url.pathname + url.search, this.#headers(exchange))
    if (head === undefined) return undefined
    using watch = new ConnectionWatch(asking)
    const askedAt = performance.now()
    const asked = await this.#place(url, zone).ask(head, cut.signal, (connection) => {
      watch.connection = connection
    })
    if (!(asked instanceof Answer)) return undefined
    limits.answered(performance.now() - askedAt)
    const { status, rawHeaders } = asked.head
    const header = (name: string) => valueOf(rawHeaders, name)
    const body = guardedBody(new AnswerBody(asked), exchange, limits, signal)
    return { status, url, header, body }
  }

  close(): void {
    for (const connections of this.#places.values()) connections[Symbol.dispose]()
  }

  #headers({ url, headers }: Exchange): readonly string[] {
    const always = { accept: '*/*', 'accept-encoding': 'identity' }
    const own = { host: url.host, ...always, 'user-agent': this.#options.userAgent }
    return Object.entries({ ...own, ...headers }).flat()
  }

  #place(url: URL, zone: Zone): Connections {
    const key = `${zone} ${url.origin}`
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const dial = this.#dialFor(url, zone)
    const place = new Connections({ dial, bounds: BOUNDS, memory: () => newBlocks })
    this.#places.set(key, place)
    const [oldest] = this.#places
    if (oldest !== undefined && this.#places.size > PLACES_REMEMBERED) {
      oldest[1].retire()
      this.#places.delete(oldest[0])
    }
    return place
  }

  #dialFor(url: URL, zone: Zone): Dial {
    const guarded = zone === 'abroad' && { lookup: guardedLookup }
    return dialer(placeOf(url), () => ({ secureContext: this.#contextOf(zone), ...guarded }))
  }
}

/** Until an answer comes. */
class ConnectionWatch implements Disposable {
  connection: Connection | undefined
  readonly #stop: () => void

  constructor({ limits, cut }: Asking) {
    const { stallMs } = limits
    const watched = {
      moved: () => this.connection?.moved ?? 0,
      sent: () => this.connection?.connecting === false,
      waits: () => this.connection === undefined,
    }
    this.#stop = watchRequest(watched, { stallMs, responseMs: stallMs }, (stall) => {
      limits.stalled()
      cut.abort(stall)
    })
  }

  [Symbol.dispose](): void {
    this.#stop()
  }
}

/** Named once or not at all, whoever sends more of them. */
const SINGULAR = new Set(['location', 'retry-after'])

function valueOf(rawHeaders: readonly string[], name: string): string | undefined {
  const values = rawHeaders.filter(
    (_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name,
  )
  if (values.length === 0) return undefined
  return SINGULAR.has(name) ? values[0] : values.join(', ')
}
