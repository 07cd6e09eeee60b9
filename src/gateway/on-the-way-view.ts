import type { Digest } from '../oci/digest.ts'
import type { Manifest } from '../oci/manifest.ts'
import type { Reference, Repository } from '../oci/reference.ts'
import type { OnTheWayPart } from '../queue/on-the-way.ts'

/** What the gateway sees of images on their way. Nothing of it rejects but for its signal. */
export interface OnTheWayView {
  part(repository: Repository, digest: Digest): Promise<OnTheWayPart | undefined>
  manifest(repository: Repository, reference: Reference): Promise<Manifest | undefined>
  /** Rejects when the signal is aborted before the manifest is here. */
  waitForManifest(
    repository: Repository,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<Manifest>
  /** A client wants that manifest or blob now: workers bring it before what nobody waits for. */
  ask(repository: Repository, digest: Digest): Promise<void>
  /** Where the blob can be followed, if anywhere. */
  spoolOf(digest: Digest): Promise<string | undefined>
}
