import type { BlobDeps } from '../../../src/gateway/blobs/serve-blob.ts'

/** A gateway whose clients have been told nothing ahead of the local registry. */
export const NOTHING_ANNOUNCED: Pick<BlobDeps, 'clients' | 'bringAnnounced'> = {
  clients: {
    has: () => Promise.resolve(false),
    announceAhead: () => Promise.resolve(),
    announcedAhead: () => Promise.resolve([]),
  },
  bringAnnounced: () => Promise.resolve(false),
}
