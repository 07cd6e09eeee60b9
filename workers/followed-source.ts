import type { Manifest } from '../src/oci/manifest.ts'
import type { Reference, Repository } from '../src/oci/reference.ts'
import type { OnTheWay } from '../src/queue/on-the-way.ts'
import type { ContentSource } from '../src/replication/ports.ts'
import { byWayOf } from '../src/spool/by-way-of.ts'
import type { WorkerSpool } from './worker-spool.ts'

/** Where what comes from upstream is shown to the clients that wait for it. */
export interface Audience {
  /** The local name of what is copied. */
  readonly repository: Repository
  readonly onTheWay: OnTheWay
  readonly spool: WorkerSpool | undefined
  /** What was published; `ended` is to be told of it. */
  readonly keys: Set<string>
}

/**
 * The same source, overheard: manifests are published as soon as they are here, and blobs are fetched
 * into the spool, where both the copy and the clients read them. Nobody waits for anybody but upstream.
 */
export function followedSource(source: ContentSource, audience: Audience): ContentSource {
  return {
    registry: source.registry,
    headManifest: (reference, signal) => source.headManifest(reference, signal),
    listReferrers: (subject, signal) => source.listReferrers(subject, signal),
    async getManifest(reference, signal) {
      const manifest = await source.getManifest(reference, signal)
      if (manifest !== undefined) await publish(audience, reference, manifest)
      return manifest
    },
    async getBlob(descriptor, signal, how = {}) {
      const { offset = 0 } = how
      const spooled = await audience.spool?.add(descriptor, offset)
      try {
        const body = await source.getBlob(descriptor, signal, how)
        return spooled === undefined ? body : byWayOf(spooled, body, descriptor.size - offset)
      } catch (error) {
        await spooled?.end(false)
        throw error
      }
    },
  }
}

async function publish(
  { repository, onTheWay, keys }: Audience,
  reference: Reference,
  manifest: Manifest,
): Promise<void> {
  for (const key of await onTheWay.publish(repository, reference, manifest)) keys.add(key)
}
