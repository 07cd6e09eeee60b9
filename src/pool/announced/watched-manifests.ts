import type { Manifest } from '../../oci/manifest.ts'
import type { Reference, Repository } from '../../oci/reference.ts'
import { Watches } from '../../waiting/watches.ts'
import { type Announcements, MANIFESTS } from './announcements.ts'
import type { InFlight } from '../in-flight.ts'

/** For clients that wait until a worker has the manifest that they want. */
export class WatchedManifests {
  readonly #watches: Watches<Manifest>

  constructor(inFlight: InFlight, announcements: Announcements) {
    this.#watches = new Watches((key) => {
      const [repository, reference] = key.split(' ') as [Repository, Reference]
      return inFlight.manifest(repository, reference)
    })
    announcements.listen({
      channel: MANIFESTS,
      told: (key) => {
        this.#watches.wake(key)
      },
      missed: () => {
        this.#watches.wakeAll()
      },
    })
  }

  /** Rejects when the signal is aborted before the manifest is here. */
  async wait(repository: Repository, reference: Reference, signal: AbortSignal): Promise<Manifest> {
    return await this.#watches.wait(`${repository} ${reference}`, signal)
  }
}
