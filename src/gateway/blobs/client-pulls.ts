import type { IncomingMessage } from 'node:http'
import type { Digest } from '../../oci/digest.ts'
import type { Repository } from '../../oci/reference.ts'
import type { RecentPulls } from '../../pool/gateways/recent-pulls.ts'
import type { BlobPath } from './blob-path.ts'

export interface ClientPullsDeps {
  readonly pulls: Pick<RecentPulls, 'begun' | 'has' | 'announceAhead' | 'announcedAhead'>
  /** Whether the client that asks is uploading to the repository. */
  readonly uploads: { has(request: IncomingMessage, repository: Repository): boolean }
  /** From where the client itself asks. */
  readonly addressOf: (request: IncomingMessage) => string | undefined
}

/**
 * Who asks for a blob in order to read it, and who in order to leave it out of a push: that one is to be told of what
 * is here alone, not of what is on its way. Nothing of it rejects.
 */
export class ClientPulls {
  readonly #deps: ClientPullsDeps

  constructor(deps: ClientPullsDeps) {
    this.#deps = deps
  }

  /** The client was given the manifest of an image on its way. */
  begun(request: IncomingMessage, repository: Repository): void {
    void this.#deps.pulls.begun(this.#pullOf(request, repository))
  }

  /** Whether the client pulls from there, and nothing speaks for a push. */
  async has(request: IncomingMessage, repository: Repository): Promise<boolean> {
    const { pulls, uploads } = this.#deps
    if (uploads.has(request, repository)) return false
    return await pulls.has(this.#pullOf(request, repository))
  }

  /** To be resolved before the client is told of a blob that is only on its way. */
  async announceAhead(request: IncomingMessage, { repository, digest }: BlobPath): Promise<void> {
    await this.#deps.pulls.announceAhead(this.#pullOf(request, repository), digest)
  }

  /** Of which blobs it was told like that; some may be here by now. */
  async announcedAhead(
    request: IncomingMessage,
    repository: Repository,
  ): Promise<readonly Digest[]> {
    return await this.#deps.pulls.announcedAhead(this.#pullOf(request, repository))
  }

  /** Many clients can share an address; seldom do they share a program, too. */
  #pullOf(request: IncomingMessage, repository: Repository) {
    const client = [this.#deps.addressOf(request), request.headers['user-agent']].join(' ')
    return { client, repository }
  }
}
