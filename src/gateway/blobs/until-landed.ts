import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import type { BlobPath } from './blob-path.ts'
import type { BlobDeps, BlobExchange } from './serve-blob.ts'

type Deps = Pick<BlobDeps, 'local' | 'inFlight'>

interface Waiting extends BlobPath {
  /** A HEAD of the blob. */
  readonly forwarded: ForwardedRequest
  readonly withinMs: number
}

const LOOK_EVERY_MS = 100

// distribution 2.8 answers 500 at the moment in which it links the blob: the file is there, and still empty.
const NOT_YET: readonly (number | undefined)[] = [404, 500]

/** The registry's answer once it has the blob, the blob is not on its way any more, or it takes too long. */
export async function untilLanded(
  { repository, digest, forwarded, withinMs }: Waiting,
  first: IncomingMessage,
  { local, inFlight }: Deps,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const isComing = async () => (await inFlight.part(repository, digest))?.kind === 'blob'
  const until = performance.now() + withinMs
  let answer = first
  while (NOT_YET.includes(answer.statusCode) && performance.now() < until && (await isComing())) {
    answer.resume()
    await delay(LOOK_EVERY_MS, undefined, { signal })
    answer = await local().ask(forwarded, signal)
  }
  return answer
}

/** As long as a blob may wait for its turn at the upstream. */
const PUSH_WITHIN_MS = 120_000

/**
 * Before a manifest is pushed: a client that was told of blobs on their way relies on them. What it was told is made
 * true first, or it would be refused for that.
 */
export async function untilAnnouncedAreHere(
  { request, forwarded }: BlobExchange,
  { repository }: Pick<BlobPath, 'repository'>,
  deps: Deps & Pick<BlobDeps, 'clients'>,
  signal: AbortSignal,
): Promise<void> {
  const until = performance.now() + PUSH_WITHIN_MS
  for (const digest of await deps.clients.announcedAhead(request, repository)) {
    const path = `/v2/${repository}/blobs/${digest}`
    const head = { method: 'HEAD', path, headers: forwarded.headers }
    const withinMs = until - performance.now()
    const waiting = { repository, digest, forwarded: head, withinMs }
    const answer = await untilLanded(waiting, await deps.local().ask(head, signal), deps, signal)
    answer.resume()
  }
}
