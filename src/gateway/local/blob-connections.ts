import { Answer } from '../../http-client/answer.ts'
import { connectsSoon } from '../../http-client/connecting.ts'
import type { Bounds, Dial } from '../../http-client/connection.ts'
import { Connections } from '../../http-client/connections.ts'
import { dialer, placeOf } from '../../http-client/dial.ts'
import { sameBlocksBeside } from '../../http-client/memory.ts'
import { getHead } from '../../http-client/request-head.ts'
import type { ForwardedRequest } from './forwarded-request.ts'
import { RelayedAnswer } from './relayed-answer.ts'

/** A registry that sends its blobs in another way is not asked for each of them twice. */
const NOT_AGAIN_FOR_MS = 60_000

/**
 * Asks a registry for blobs so that gigabytes cost little. Clients are given answers of one form, the one that
 * registries give: of a length that the head tells. All else is left to Node's client.
 */
export class BlobConnections implements Disposable {
  readonly #connections: Connections
  readonly #prefix: string
  #notBefore = 0

  /** @param ca the authorities that are trusted, where it speaks TLS; Node's own unless told */
  constructor(url: URL, bounds: Bounds, ca?: string) {
    const place = placeOf(url)
    const begin = dialer(place, () => (ca === undefined ? {} : { ca }))
    const dial: Dial = (onread) => connectsSoon(begin(onread), place)
    this.#connections = new Connections({ dial, bounds, memory: sameBlocksBeside })
    this.#prefix = url.pathname.replace(/\/$/, '')
  }

  /**
   * Undefined when it has to be asked in another way. Throws when the registry cannot be reached.
   * Once more when a kept connection turned out to be closed.
   */
  async ask(
    { path, headers }: ForwardedRequest,
    signal: AbortSignal,
  ): Promise<RelayedAnswer | undefined> {
    const head = getHead(this.#prefix + path, headers)
    if (head === undefined || performance.now() < this.#notBefore) return undefined
    const asked = await this.#connections.ask(head, signal)
    if (!(asked instanceof Answer)) {
      this.#noteUnusual(asked.status)
      return undefined
    }
    const { framing, status } = asked.head
    if (framing.kind === 'sized') return new RelayedAnswer(asked, framing.bytes)
    asked.destroy()
    this.#noteUnusual(status)
    return undefined
  }

  /** Ends what is idle now; what is in use ends with its answer. */
  retire(): void {
    this.#connections.retire()
  }

  #noteUnusual(status: number | undefined): void {
    if (status === 200 || status === 206) this.#notBefore = performance.now() + NOT_AGAIN_FOR_MS
  }

  [Symbol.dispose](): void {
    this.#connections[Symbol.dispose]()
  }
}
