import type { Digest } from '../../oci/digest.ts'
import type { Manifest } from '../../oci/manifest.ts'
import type { Reference, Repository } from '../../oci/reference.ts'
import type { InFlightPart, UpstreamBlob } from '../../pool/in-flight.ts'

/** What the gateway sees of images on their way. Nothing of it rejects but for its signal. */
export interface InFlightView {
  part(repository: Repository, digest: Digest): Promise<InFlightPart | undefined>
  manifest(repository: Repository, reference: Reference): Promise<Manifest | undefined>
  /** Rejects when the signal is aborted before the manifest is here. */
  waitForManifest(
    repository: Repository,
    reference: Reference,
    signal: AbortSignal,
  ): Promise<Manifest>
  /** A client wants that manifest or blob now: workers bring it before what nobody waits for. */
  ask(repository: Repository, digest: Digest): Promise<void>
  /** How many of its bytes have come so far; undefined while nobody brings it. */
  come(digest: Digest): Promise<number | undefined>
  /** Where the blob, as that upstream gives it, can be followed, if anywhere. */
  spoolOf(blob: UpstreamBlob): Promise<string | undefined>
}
