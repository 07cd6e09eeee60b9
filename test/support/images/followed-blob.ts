import { randomBytes } from 'node:crypto'
import { SpoolFollower } from '../../../src/gateway/blobs/follow-spool.ts'
import { digestOf } from '../../../src/oci/digest.ts'
import { Spool, type Spooled, type SpoolWish } from '../../../src/spool/spool.ts'
import { spoolAddress, startSpoolServer } from '../../../src/spool/spool-server.ts'
import { SpoolsHere } from '../../../src/spool/spools-here.ts'
import { inPieces } from '../network/in-pieces.ts'
import { Started } from '../process/started.ts'
import { tempFolder } from '../process/temp-folder.ts'

export const BYTES = randomBytes(3_000_000)
export const DIGEST = digestOf(BYTES)

export const WISH: SpoolWish = {
  blob: { mediaType: 'application/octet-stream', digest: DIGEST, size: BYTES.length },
  origin: 'hq/team/app',
  offset: 0,
  followed: true,
  signal: new AbortController().signal,
}

/** As gateways of other processes follow, and as the one in the worker's own does. */
export const WAYS = ['over HTTP', 'in the same process'] as const
export type Way = (typeof WAYS)[number]

/** A blob in a worker's spool, nothing of which is here yet, and who follows it. */
export interface FollowedBlob extends AsyncDisposable {
  readonly spool: Spool
  readonly spooled: Spooled
  readonly follower: SpoolFollower
  /** What comes before the keys. */
  readonly address: string
  append(bytes: Buffer): void
}

export async function startFollowedBlob(way: Way): Promise<FollowedBlob> {
  const started = new Started()
  try {
    const folder = await started.add(tempFolder('spool'))
    const maxBytes = 100_000_000
    const spool = await started.add(Spool.open({ parent: folder.path, maxBytes }))
    const server = await startSpoolServer(spool, '127.0.0.1')
    await started.add(Promise.resolve({ [Symbol.asyncDispose]: () => server.stop(0) }))
    const address = spoolAddress(server)
    const here = new SpoolsHere()
    if (way === 'in the same process') here.add(address, spool)
    const spooled = await spool.add(WISH)
    if (spooled === undefined) throw new Error('there was no room')
    const follower = new SpoolFollower(here)
    return {
      ...{ spool, spooled, follower, address },
      append(bytes) {
        for (const piece of inPieces(bytes)) spooled.blob.append(piece)
      },
      async [Symbol.asyncDispose]() {
        follower[Symbol.dispose]()
        await started[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await started[Symbol.asyncDispose]()
    throw error
  }
}
