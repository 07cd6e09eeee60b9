import type { IncomingMessage } from 'node:http'
import type { Forwarded } from '../../http/trusted-proxies.ts'
import { readTarget } from '../framing/request-target.ts'

/** An image takes its time to push; each blob of it begins an upload. */
const REMEMBERED_MS = 10 * 60_000
const MAX_REMEMBERED = 10_000

const UPLOADS = /^\/v2\/(.+)\/blobs\/uploads\/?$/

type RequestHead = Pick<IncomingMessage, 'method' | 'url'> & Forwarded

/** From where the client itself asks. */
type AddressOf = (request: Forwarded) => string | undefined

/** Which clients have begun to upload to a repository a moment ago, as this process saw it. */
export class RecentUploads {
  /** Until when, the oldest first. */
  readonly #until = new Map<string, number>()
  readonly #addressOf: AddressOf

  constructor(addressOf: AddressOf) {
    this.#addressOf = addressOf
  }

  /** Takes notice where the request begins an upload. */
  note(request: RequestHead, now = performance.now()): void {
    const path = request.method === 'POST' ? readTarget(request.url ?? '')?.path : undefined
    const repository = UPLOADS.exec(path ?? '')?.[1]
    if (repository === undefined) return
    const key = this.#keyOf(request, repository)
    this.#until.delete(key)
    this.#until.set(key, now + REMEMBERED_MS)
    const [oldest] = this.#until.keys()
    if (this.#until.size > MAX_REMEMBERED && oldest !== undefined) this.#until.delete(oldest)
  }

  /** Whether the client that asks is uploading to the repository. */
  has(request: RequestHead, repository: string, now = performance.now()): boolean {
    return (this.#until.get(this.#keyOf(request, repository)) ?? 0) > now
  }

  /** Many clients can share an address; seldom do they share a program, too. */
  #keyOf(request: RequestHead, repository: string): string {
    return [this.#addressOf(request), request.headers['user-agent'], repository].join(' ')
  }
}
