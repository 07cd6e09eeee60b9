import { type Readable, Transform } from 'node:stream'
import type { Manifest } from '../src/oci/manifest.ts'
import type { Reference, Repository } from '../src/oci/reference.ts'
import type { OnTheWay } from '../src/queue/on-the-way.ts'
import type { ContentSource } from '../src/replication/ports.ts'
import type { SpooledBlob } from '../src/spool/spooled-blob.ts'
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
 * The same source, overheard: manifests are published as soon as they are here, blobs are spooled
 * while they come. The copy waits for the disk, never for a client.
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
    async getBlob(descriptor, signal, offset = 0) {
      const spooled = await audience.spool?.add(descriptor, offset)
      try {
        const body = await source.getBlob(descriptor, signal, offset)
        return spooled === undefined ? body : overheard(body, spooled)
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

function overheard(body: Readable, spooled: SpooledBlob): Readable {
  const passing = new Transform({
    transform(piece: Buffer, _encoding, done) {
      const pass = () => {
        done(null, piece)
      }
      const full = spooled.append(piece)
      if (full === undefined) pass()
      else void full.then(pass)
    },
    flush(done) {
      void spooled.end(true).then(() => {
        done()
      })
    },
    destroy(error, done) {
      body.destroy()
      void spooled.end(false).then(() => {
        done(error)
      })
    },
  })
  body.once('error', (error) => passing.destroy(error))
  return body.pipe(passing)
}
