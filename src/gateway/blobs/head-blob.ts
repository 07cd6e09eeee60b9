import type { IncomingMessage } from 'node:http'
import { untilClosed } from '../../http/until-closed.ts'
import { streamAnswer } from '../local/stream-answer.ts'
import { sendBlobHead } from './blob-head.ts'
import type { BlobPath } from './blob-path.ts'
import { readByteRange } from './byte-range.ts'
import {
  type BlobDeps,
  type BlobExchange,
  comingBlob,
  type Lacking,
  lacksIt,
} from './serve-blob.ts'
import { untilLanded } from './until-landed.ts'

/** containerd gives up after 30 s without a head. */
const WITHIN_MS = 20_000

/**
 * HEAD of a blob. A client that pulls the image is answered as its GET would be. Whoever else asks may be about to
 * push, and leaves out what is said to be here: where it is on its way, the answer for those waits until it is.
 */
export async function headBlob(
  exchange: BlobExchange,
  path: BlobPath,
  deps: BlobDeps,
): Promise<void> {
  const { request, response, forwarded } = exchange
  const signal = untilClosed(response)
  const answer = await deps.local().ask(forwarded, signal)
  const lacking = { ...path, status: answer.statusCode ?? 502 }
  const pulls = lacksIt(lacking) && (await deps.clients.has(request, path.repository))
  const coming = pulls ? await comingBlob(exchange, lacking, deps, signal) : undefined
  if (coming === undefined) {
    const last = lacksIt(lacking)
      ? await landed(exchange, { ...lacking, answer }, deps, signal)
      : answer
    await streamAnswer(last, response)
    return
  }
  answer.resume()
  if (coming === 'here') {
    await streamAnswer(await deps.local().ask(forwarded, signal), response)
    return
  }
  await deps.clients.announceAhead(request, path)
  sendBlobHead(response, path.digest, readByteRange(undefined, coming.size))
  response.end()
}

async function landed(
  { forwarded }: BlobExchange,
  { repository, digest, status, answer }: Lacking & { readonly answer: IncomingMessage },
  { local, inFlight, rights }: BlobDeps,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const part = await inFlight.part(repository, digest)
  const asked = { repository, digest, forwarded }
  if (part?.kind !== 'blob' || !(await rights.allow(asked, status, signal))) return answer
  void inFlight.ask(repository, digest)
  const waiting = { ...asked, withinMs: WITHIN_MS }
  return await untilLanded(waiting, answer, { local, inFlight }, signal)
}
