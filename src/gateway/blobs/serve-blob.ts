import type { IncomingMessage, ServerResponse } from 'node:http'
import { inTime } from '../../waiting/in-time.ts'
import type { InFlightPart } from '../../pool/in-flight.ts'
import type { BlobAnswer } from '../local/blob-answer.ts'
import type { OpenSpool } from './in-flight-blob.ts'
import { inFlightBlob } from './in-flight-blob.ts'
import { withHeader } from '../framing/forwarded-headers.ts'
import type { ForwardedRequest } from '../local/forwarded-request.ts'
import type { LocalRegistry } from '../local/local-registry.ts'
import type { InFlightView } from './in-flight-view.ts'
import { type OriginalAnswer, sendAnswer } from '../local/original-answer.ts'
import { sendBlobHead } from './blob-head.ts'
import type { BlobPath } from './blob-path.ts'
import { readByteRange } from './byte-range.ts'
import type { ClientPulls } from './client-pulls.ts'
import { sendPieces } from '../../http/send-pieces.ts'
import { untilClosed } from '../../http/until-closed.ts'
import type { Rights } from '../rights/rights.ts'

export interface BlobDeps {
  readonly local: () => LocalRegistry
  readonly inFlight: InFlightView
  readonly openSpool: OpenSpool
  readonly rights: Rights
  readonly clients: Pick<ClientPulls, 'has' | 'announceAhead' | 'announcedAhead'>
  /**
   * Brings the image that the blob belongs to, where clients were told of it; whether the blob is here now, or on
   * its way. Rejects only when `signal` is aborted.
   */
  readonly bringAnnounced: (
    request: IncomingMessage,
    path: BlobPath,
    signal: AbortSignal,
  ) => Promise<boolean>
}

export interface BlobExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly forwarded: ForwardedRequest
}

/**
 * GET of a blob: the registry's answer, or, where that is 404 or a failure and the blob belongs to an image on its
 * way to this repository, its bytes as they come, to whom `Rights` gives them.
 */
export async function serveBlob(
  exchange: BlobExchange,
  path: BlobPath,
  deps: BlobDeps,
): Promise<void> {
  const { response, forwarded } = exchange
  const signal = untilClosed(response)
  if (await redirected(exchange, deps.local(), signal)) return
  const answer = await deps.local().askForBlob(forwarded, signal)
  if (!lacksIt(answer)) {
    await answer.relay(response)
    return
  }
  const original = await answer.keep()
  const coming = await comingBlob(exchange, { ...path, status: answer.status }, deps, signal)
  if (coming === undefined) sendAnswer(response, original)
  else if (coming === 'here')
    await (await deps.local().askForBlob(forwarded, signal)).relay(response)
  else await followBlob(exchange, { ...path, coming, original }, deps, signal)
}

export interface Lacking extends BlobPath {
  /** What the registry answered instead. */
  readonly status: number
}

/** The blob as it comes, or `here` where it has come meanwhile; undefined where it is none of this client's. */
export async function comingBlob(
  { request, forwarded }: BlobExchange,
  { repository, digest, status }: Lacking,
  { inFlight, rights, bringAnnounced }: BlobDeps,
  signal: AbortSignal,
): Promise<InFlightPart | 'here' | undefined> {
  const known = await inFlight.part(repository, digest)
  if (known?.kind !== 'blob' && status !== 404) return undefined
  if (!(await rights.allow({ repository, digest, forwarded }, status, signal))) return undefined
  if (known?.kind === 'blob') {
    void inFlight.ask(repository, digest)
    return known
  }
  if (!(await bringAnnounced(request, { repository, digest }, signal))) return undefined
  const brought = await inFlight.part(repository, digest)
  return brought?.kind === 'blob' ? brought : 'here'
}

interface Following extends BlobPath {
  readonly coming: InFlightPart
  /** The registry's own answer, for a blob that does not come after all. */
  readonly original: OriginalAnswer
}

async function followBlob(
  { request, response, forwarded }: BlobExchange,
  { repository, digest, coming, original }: Following,
  deps: BlobDeps,
  signal: AbortSignal,
): Promise<void> {
  const { inFlight, local, openSpool } = deps
  const range = readByteRange(request.headers.range, coming.size)
  const bytes = inFlightBlob(range, {
    part: () => inFlight.part(repository, digest),
    spool: async (offset) => {
      const url = await inFlight.spoolOf({ upstream: coming.upstream, digest })
      return url === undefined
        ? undefined
        : await openSpool(url, offset, signal, range.start + range.length)
    },
    come: () => inFlight.come(digest),
    landed: (offset) => fromLocal(forwarded, local(), offset, signal),
    signal,
  })
  const first = bytes.next()
  const soon = await inTime(first, HEAD_AFTER_MS)
  if (soon?.done === true && range.length > 0) {
    sendAnswer(response, original)
    return
  }
  sendBlobHead(response, digest, range)
  await sendPieces(resumed(first, bytes), response, range.length)
}

/**
 * Sends the client to the registry for a blob that is there. Not one with credentials: clients keep
 * these to themselves where a redirect leads to another host.
 */
async function redirected(
  { request, response, forwarded }: BlobExchange,
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<boolean> {
  const address = local.addressFor(forwarded.path)
  if (address === undefined || request.headers.authorization !== undefined) return false
  const head = await local.ask({ ...forwarded, method: 'HEAD' }, signal)
  head.resume()
  if (head.statusCode !== 200) return false
  response.writeHead(307, { Location: address, 'Docker-Distribution-Api-Version': 'registry/2.0' })
  response.end()
  return true
}

/** Whatever keeps a registry from giving a blob that is just coming to it, the worker has its bytes. */
export function lacksIt({ status }: Pick<BlobAnswer, 'status'>): boolean {
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
  forwarded: ForwardedRequest,
  local: LocalRegistry,
  offset: number,
  signal: AbortSignal,
): Promise<IncomingMessage | undefined> {
  const headers = withHeader(forwarded.headers, 'Range', `bytes=${offset}-`)
  const answer = await local.ask({ ...forwarded, headers }, signal).catch(() => undefined)
  const status = answer?.statusCode
  if (status === 206 || (status === 200 && offset === 0)) return answer
  answer?.resume()
  return undefined
}
