import type { IncomingMessage, ServerResponse } from 'node:http'
import { inTime } from '../lifecycle/in-time.ts'
import type { Digest } from '../oci/digest.ts'
import type { Repository } from '../oci/reference.ts'
import type { BlobAnswer } from './blob-answer.ts'
import type { OpenSpool } from './blob-on-the-way.ts'
import { blobOnTheWay } from './blob-on-the-way.ts'
import { withHeader } from './forwarded-headers.ts'
import type { Asked, LocalRegistry } from './local-registry.ts'
import type { OnTheWayView } from './on-the-way-view.ts'
import { sendAnswer } from './original-answer.ts'
import { type ByteRange, readByteRange } from './byte-range.ts'
import { sendPieces } from '../http/send-pieces.ts'
import { untilClosed } from '../http/until-closed.ts'

export interface BlobDeps {
  readonly local: () => LocalRegistry
  readonly onTheWay: OnTheWayView
  readonly openSpool: OpenSpool
}

export interface BlobExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly asked: Asked
}

interface BlobPath {
  readonly repository: Repository
  readonly digest: Digest
}

/**
 * GET of a blob: the registry's answer, or, where that is 404 or a failure and the blob belongs to an image on its
 * way to this repository, its bytes as they come.
 */
export async function serveBlob(
  { request, response, asked }: BlobExchange,
  { repository, digest }: BlobPath,
  deps: BlobDeps,
): Promise<void> {
  const signal = untilClosed(response)
  if (await redirected({ request, response, asked }, deps.local(), signal)) return
  const answer = await deps.local().askForBlob(asked, signal)
  const part = lacksIt(answer) ? await deps.onTheWay.part(repository, digest) : undefined
  if (part?.kind !== 'blob') {
    await answer.relay(response)
    return
  }
  void deps.onTheWay.ask(repository, digest)
  const original = await answer.keep()
  const range = readByteRange(request.headers.range, part.size)
  const bytes = blobOnTheWay(range, {
    part: () => deps.onTheWay.part(repository, digest),
    spool: async (offset) => {
      const url = await deps.onTheWay.spoolOf(digest)
      return url === undefined ? undefined : await deps.openSpool(url, offset, signal)
    },
    landed: (offset) => fromLocal(asked, deps.local(), offset, signal),
    signal,
  })
  const first = bytes.next()
  const soon = await inTime(first, HEAD_AFTER_MS)
  if (soon?.done === true && range.length > 0) {
    sendAnswer(response, original)
    return
  }
  sendHead(response, digest, range)
  await sendPieces(resumed(first, bytes), response, range.length)
}

/**
 * Sends the client to the registry for a blob that is there. Not one with credentials: clients keep
 * these to themselves where a redirect leads to another host.
 */
async function redirected(
  { request, response, asked }: BlobExchange,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<boolean> {
  const address = local.addressFor(asked.path)
  if (address === undefined || request.headers.authorization !== undefined) return false
  const head = await local.ask({ ...asked, method: 'HEAD' }, signal)
  head.resume()
  if (head.statusCode !== 200) return false
  response.writeHead(307, { Location: address, 'Docker-Distribution-Api-Version': 'registry/2.0' })
  response.end()
  return true
}

/** Whatever keeps a registry from giving a blob that is just coming to it, the worker has its bytes. */
function lacksIt({ status }: BlobAnswer): boolean {
  return status === 404 || status >= 500
}

// containerd 2.3 and later wait 30 s for the head of an answer, and for ever for what follows it.
const HEAD_AFTER_MS = 10_000

async function* resumed(
  first: Promise<IteratorResult<Buffer, void>>,
  rest: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer> {
  try {
    const { done, value } = await first
    if (done !== true) yield value
    yield* rest
  } finally {
    // A client that leaves with the first piece has never come to it.
    await rest.return()
  }
}

async function fromLocal(
  asked: Asked,
  local: LocalRegistry,
  offset: number,
  signal: AbortSignal,
): Promise<IncomingMessage | undefined> {
  const headers = withHeader(asked.headers, 'Range', `bytes=${offset}-`)
  const answer = await local.ask({ ...asked, headers }, signal).catch(() => undefined)
  const status = answer?.statusCode
  if (status === 206 || (status === 200 && offset === 0)) return answer
  answer?.resume()
  return undefined
}

/** As the registry would. OCI distribution-spec, "Pulling blobs"; RFC 9110, section 14. */
function sendHead(
  response: ServerResponse,
  digest: Digest,
  { start, length, size, partial }: ByteRange,
): void {
  response.writeHead(partial ? 206 : 200, {
    'Content-Type': 'application/octet-stream',
    'Docker-Content-Digest': digest,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    'Content-Length': length,
    Etag: `"${digest}"`,
    ...(partial && { 'Content-Range': `bytes ${start}-${start + length - 1}/${size}` }),
  })
  // What is on its way can take a while; the client is to know at once that it comes.
  response.flushHeaders()
}
