import type { IncomingMessage } from 'node:http'
import { networkOf } from '../../http/limits/client-network.ts'
import type { Forwarded } from '../../http/trusted-proxies.ts'
import { readTarget } from '../framing/request-target.ts'

/** An image takes its time to push; each blob of it begins an upload. */
const REMEMBERED_MS = 10 * 60_000
const MAX_REMEMBERED = 10_000

const UPLOADS = /^\/v2\/(.+)\/blobs\/uploads\/?$/

type Asked = Pick<IncomingMessage, 'method' | 'url'> & Forwarded

/** From where the client itself asks. */
type AddressOf = (request: Forwarded) => string | undefined

/** Until when each of a client's uploads is remembered, the oldest first. */
type Uploads = Map<string, number>

/** Which clients have begun to upload to a repository a moment ago, as this process saw it. */
export class RecentUploads {
  readonly #ofClients = new Map<string, Uploads>()
  readonly #addressOf: AddressOf
  #size = 0

  constructor(addressOf: AddressOf) {
    this.#addressOf = addressOf
  }

  /**
   * Takes notice where the request has begun an upload.
   *
   * @param status the registry's: without its consent, anybody could say of those with the same address that they push
   */
  note(request: Asked, status: number, now = performance.now()): void {
    const accepted = status === 201 || status === 202
    const repository = accepted ? uploadedTo(request) : undefined
    if (repository === undefined) return
    const client = this.#clientOf(request)
    const key = keyOf(request, repository)
    this.#forget(client, key)
    const uploads: Uploads = this.#ofClients.get(client) ?? new Map<string, number>()
    this.#ofClients.set(client, uploads.set(key, now + REMEMBERED_MS))
    this.#size += 1
    if (this.#size > MAX_REMEMBERED) this.#forgetOldestOfMost()
  }

  /** Whether the client that asks is uploading to the repository. */
  has(request: Asked, repository: string, now = performance.now()): boolean {
    const until = this.#ofClients.get(this.#clientOf(request))?.get(keyOf(request, repository))
    return (until ?? 0) > now
  }

  #clientOf(request: Asked): string {
    return networkOf(this.#addressOf(request) ?? '')
  }

  /** Whoever pushes to made-up repositories pushes out what is its own. */
  #forgetOldestOfMost(): void {
    let [client, most] = ['', 0]
    for (const [each, { size }] of this.#ofClients) if (size > most) [client, most] = [each, size]
    const [oldest] = this.#ofClients.get(client)?.keys() ?? []
    if (oldest !== undefined) this.#forget(client, oldest)
  }

  #forget(client: string, key: string): void {
    const uploads = this.#ofClients.get(client)
    if (uploads?.delete(key) !== true) return
    this.#size -= 1
    if (uploads.size === 0) this.#ofClients.delete(client)
  }
}

/** The repository to which the request is to begin an upload. */
function uploadedTo({ method, url = '' }: Asked): string | undefined {
  const path = method === 'POST' ? readTarget(url)?.path : undefined
  return UPLOADS.exec(path ?? '')?.[1]
}

/** Many clients can share an address; seldom do they share a program, too. */
function keyOf({ headers }: Asked, repository: string): string {
  return [headers['user-agent'], repository].join(' ')
}
