import { Readable } from 'node:stream'
import { Answer } from '../../http-client/answer.ts'
import { AnswerBody } from '../../http-client/answer-body.ts'
import type { PlainRequest } from '../../http-client/connections.ts'
import { smallBlocks } from '../../http-client/memory.ts'
import { OddServers } from '../../http-client/odd-servers.ts'
import type { Places } from '../../http-client/places.ts'
import { plainHead } from '../../http-client/request-head.ts'
import { headerIn, type ResponseHead } from '../../http-client/response-head.ts'
import type { Zone } from '../network/guard.ts'
import type { Exchange, TransportOptions } from './exchange.ts'
import { type Asking, ConnectionWatch, type ContextOf, registryPlaces } from './large-answers.ts'

const MAX_KEPT = 64
// The engine limits how much runs at once; this only keeps a mistake there from opening thousands.
const MAX_OPEN = 256

/** As axios has it. */
export interface PlainAnswer {
  readonly status: number
  readonly statusText: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** A `WholeBody`, if all of it came with the head. */
  readonly data: Readable
}

/**
 * How axios sends what is in memory as a whole, and whose answer is mostly small: all but the bytes of blobs. Its own
 * way through Node's client takes several times the work for each of them, which is most of what a small image costs.
 */
export class PlainExchanges {
  readonly #options: TransportOptions
  readonly #places: Places<Zone>
  readonly #odd = new OddServers()

  constructor(contextOf: ContextOf, options: TransportOptions) {
    this.#options = options
    const most = { maxKept: MAX_KEPT, maxOpen: MAX_OPEN }
    this.#places = registryPlaces(contextOf, { memory: () => smallBlocks, ...most })
  }

  /**
   * Undefined where it has to be sent in another way. Throws when there is no answer.
   *
   * @param headers as axios would send them
   */
  async exchange(
    asking: Asking,
    zone: Zone,
    headers: Readonly<Record<string, string>>,
  ): Promise<PlainAnswer | undefined> {
    const { exchange, cut } = asking
    const { url } = exchange
    const request = this.#requestOf(exchange, headers)
    if (request === undefined) return undefined
    using watch = new ConnectionWatch(asking)
    const answer = await this.#places.at(url, zone).ask(request, cut.signal, (connection) => {
      watch.connection = connection
    })
    if (!(answer instanceof Answer)) {
      this.#noteUnusual(request, url)
      return undefined
    }
    const { status, statusMessage } = answer.head
    const whole = answer.whole()
    const data = whole === undefined ? new AnswerBody(answer) : new WholeBody(whole)
    return { status, statusText: statusMessage, headers: headersIn(answer.head), data }
  }

  close(): void {
    this.#places[Symbol.dispose]()
  }

  #requestOf(
    exchange: Exchange,
    headers: Readonly<Record<string, string>>,
  ): PlainRequest | undefined {
    const { url, large = false, body } = exchange
    if (large || body instanceof Readable) return undefined
    if (this.#odd.has(url)) return undefined
    // Node gives the bytes of TLS that goes through a tunnel of somebody else in its own way only.
    if (this.#options.proxyFor(url) !== undefined) return undefined
    return requestOf(exchange, body, headers)
  }

  /** What may have done something is not sent again by itself. */
  #noteUnusual({ method }: PlainRequest, url: URL): void {
    this.#odd.note(url)
    if (SAFE.has(method)) return
    throw new Error(
      'the answer was not plain HTTP/1.1; what is sent to that host next is read by a more tolerant parser',
    )
  }
}

function requestOf(
  { method, url }: Exchange,
  body: Buffer | undefined,
  headers: Readonly<Record<string, string>>,
): PlainRequest | undefined {
  const { 'content-length': told, ...others } = headers
  const bytes = body?.length ?? (WITH_BODY.has(method) ? 0 : undefined)
  if (told !== undefined && Number(told) !== bytes) return undefined
  const all = Object.entries({ host: url.host, ...others }).flat()
  const head = plainHead(method, url.pathname + url.search, all, bytes)
  return head === undefined ? undefined : { method, head, ...(body && { body }) }
}

const SAFE = new Set(['GET', 'HEAD'])
/** Without a length, servers wait for a body or refuse them. RFC 9110, section 8.6. */
const WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

function headersIn(head: ResponseHead): Record<string, string> {
  const names = head.rawHeaders.filter((_, at) => at % 2 === 0)
  const lower = new Set(names.map((name) => name.toLowerCase()))
  return Object.fromEntries([...lower].map((name) => [name, headerIn(head, name) ?? '']))
}

/** All of it is here: nothing can stall or break any more. */
export class WholeBody extends Readable {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    super()
    this.#bytes = bytes
  }

  override _read(): void {
    if (this.#bytes.length > 0) this.push(this.#bytes)
    this.push(null)
  }
}
