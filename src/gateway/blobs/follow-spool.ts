import { follow } from '../../spool/follow.ts'
import type { SpoolsHere } from '../../spool/spools-here.ts'
import type { Bounds } from '../../http-client/connection.ts'
import { BlobConnections } from '../local/blob-connections.ts'
import type { RelayedAnswer } from '../local/relayed-answer.ts'

const BOUNDS: Bounds = {
  // Bytes come at upstream's pace. Of one that stalls, the worker lets go after a minute, or of three requests
  // that lead to its bytes (a redirect, a token) after three.
  idleMs: 200_000,
  keptMs: 4_000,
}
// A worker of the same site answers at once, or is gone.
const HEADERS_WITHIN_MS = 2_000
/** Each start of a worker is one more. */
const WORKERS_REMEMBERED = 100

/** The gateway's connections to the workers' spools. */
export class SpoolFollower implements Disposable {
  readonly #here: SpoolsHere | undefined
  /** By address, the oldest first. */
  readonly #workers = new Map<string, BlobConnections>()

  /** @param here those of workers in this process, if there are any */
  constructor(here?: SpoolsHere) {
    this.#here = here
  }

  /**
   * The blob's bytes from `offset` to before `end`, each piece good until the next one is asked for; undefined
   * when the worker is gone or has not that part.
   */
  async open(
    url: string,
    offset: number,
    signal: AbortSignal,
    end?: number,
  ): Promise<AsyncIterable<Buffer> | undefined> {
    const here = this.#here?.find(url)
    if (here !== undefined) return follow(here, offset, signal, end)?.pieces
    const answer = await this.#ask(
      url,
      `bytes=${offset}-${end === undefined ? '' : end - 1}`,
      signal,
    ).catch(() => undefined)
    if (answer?.status === 200) return answer.pieces()
    await answer?.keep().catch(() => undefined)
    return undefined
  }

  [Symbol.dispose](): void {
    for (const worker of this.#workers.values()) worker[Symbol.dispose]()
  }

  async #ask(
    address: string,
    range: string,
    signal: AbortSignal,
  ): Promise<RelayedAnswer | undefined> {
    const url = new URL(address)
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort(new Error('the worker does not answer'))
    }, HEADERS_WITHIN_MS)
    try {
      const headers = ['Host', url.host, 'Range', range]
      const forwarded = { method: 'GET', path: url.pathname, headers }
      return await this.#worker(url).ask(forwarded, AbortSignal.any([signal, late.signal]))
    } finally {
      clearTimeout(timer)
    }
  }

  #worker({ origin }: URL): BlobConnections {
    const known = this.#workers.get(origin)
    if (known !== undefined) return known
    const worker = new BlobConnections(new URL(origin), BOUNDS)
    this.#workers.set(origin, worker)
    const [oldest] = this.#workers
    if (oldest !== undefined && this.#workers.size > WORKERS_REMEMBERED) {
      oldest[1].retire()
      this.#workers.delete(oldest[0])
    }
    return worker
  }
}
