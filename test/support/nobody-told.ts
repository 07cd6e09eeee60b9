import type { BlobDeps } from '../../src/gateway/blobs/serve-blob.ts'

/** A gateway whose clients have been told nothing ahead of the local registry. */
export const NOBODY_TOLD: Pick<BlobDeps, 'clients' | 'bringTold'> = {
  clients: {
    has: () => Promise.resolve(false),
    announceAhead: () => Promise.resolve(),
    announcedAhead: () => Promise.resolve([]),
  },
  bringTold: () => Promise.resolve(false),
}
