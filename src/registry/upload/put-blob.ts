import type { Descriptor } from '../../oci/descriptor.ts'
import type { OpenBlob, UploadCheckpoint } from '../../replication/ports.ts'
import { abortReason } from '../../waiting/aborting.ts'
import { RegistryError, wrongAnswer } from '../errors/registry-error.ts'
import { readUpTo } from '../transport/body.ts'
import type { RepositorySession } from '../session.ts'
import { ComingBlob } from './coming-blob.ts'
import { continuedUpload } from './continued-upload.ts'
import { GracefulAbort } from './graceful-abort.ts'
import { type BegunPatch, patchUpload, type SentPatch, TOO_SOON } from './patch-upload.ts'
import {
  cancelUpload,
  commitUpload,
  openUpload,
  openUploadUnlessThere,
  pushOperation,
} from './uploads.ts'
import { recordedLate, UNRECORDED, type UploadRecord } from '../words/upload-records.ts'
import { CorruptBlobError } from './verified-body.ts'
import { asError } from '../../thrown.ts'

export interface BlobUpload {
  readonly descriptor: Descriptor
  /** The blob's bytes from an offset on, until the signal; once more where the registry takes no PATCH. */
  readonly open: OpenBlob
  /** Absent where nobody is to continue it. */
  readonly checkpoint?: UploadCheckpoint
  /** Whether the registry may have it. */
  readonly unlessThere?: boolean
}

/** So many may be read before they are sent: eight uploads at once and more hold that many. */
const FROM_MEMORY_BYTES = 1024 * 1024
/** As good as every upload of so little is over by then. */
const SMALL_TAKES_MS = 1_000
/** It can be upgraded, and what looked like a refusal may have been an upload that got lost. */
const PATCH_AGAIN_MS = 3_600_000

const UNWILLING = new Set([400, 404, 405, 411, 415, 416, 501])

/**
 * The blob, verified before it is committed. The error is that of the side that failed: the body's own when the body
 * broke. Whatever breaks here, no request is cut in its middle, for such an upload cannot be cancelled or continued
 * (distribution 2.8): a small blob is sent from memory, and a larger one in one request of HTTP chunks, as Docker
 * sends it, which may end early. What has come by then is continued by whoever has the checkpoint, else it is cancelled.
 */
export async function putBlob(
  session: RepositorySession,
  upload: BlobUpload,
  signal: AbortSignal,
): Promise<'copied' | 'skipped'> {
  using sending = new GracefulAbort(signal)
  using record = recordOf(session, upload)
  const put = { session, sending, signal, record, ...upload }
  try {
    const sent = isSentWhole(put) ? 'not-sent' : await putInOnePatch(put)
    return sent === 'not-sent' ? await putWhole(put) : sent
  } catch (error) {
    throw signal.aborted ? abortReason(signal) : error
  }
}

interface Put extends BlobUpload {
  readonly session: RepositorySession
  readonly record: UploadRecord
  /** What is on its way ends in good order, see there. */
  readonly sending: GracefulAbort
  readonly signal: AbortSignal
}

/**
 * Of a small blob nothing is sent before all of it is: who dies within the moment that it takes leaves an upload without
 * bytes, seldom with a few. One that waits for a slow upstream or a slow registry is remembered as others are.
 */
function recordOf({ uploads, repository }: RepositorySession, { descriptor }: BlobUpload) {
  const record = uploads?.begin(repository, descriptor.digest) ?? UNRECORDED
  return descriptor.size <= FROM_MEMORY_BYTES ? recordedLate(record, SMALL_TAKES_MS) : record
}

function isSentWhole({ session, descriptor }: Put): boolean {
  return descriptor.size <= FROM_MEMORY_BYTES || Date.now() < session.learned.takesNoPatchUntil
}

interface Begun {
  readonly location: URL
  readonly coming: ComingBlob
}

/**
 * The blob is opened while the registry opens the upload: clients may be waiting for it. Where the registry may have
 * it, it is opened after that. Undefined when the registry has it.
 */
async function begin(put: Put): Promise<Begun | undefined> {
  const { session, record, descriptor, sending } = put
  const { digest } = descriptor
  // Of one that is given up while it opens, nobody knows where it is.
  const opening = async <T>(ask: (...asked: Parameters<typeof openUpload>) => Promise<T>) => {
    const opened = await sending.during(() => ask(session, digest, sending.signal))
    if (opened instanceof URL) record.at(opened)
    return opened
  }
  if (put.unlessThere !== true) return await beginBoth(put, opening(openUpload))
  const location = await opening(openUploadUnlessThere)
  return location && (await beginBoth(put, Promise.resolve(location)))
}

async function beginBoth(put: Put, opening: Promise<URL>): Promise<Begun> {
  const { descriptor, open, sending, signal } = put
  const [body, upload] = await Promise.allSettled([
    open(0, sending.signal).then((opened) => new ComingBlob(opened, descriptor, signal)),
    opening,
  ])
  if (body.status === 'rejected') {
    if (upload.status === 'fulfilled') await cancel(put, upload.value)
    throw body.reason
  }
  if (upload.status === 'rejected') {
    body.value[Symbol.dispose]()
    throw upload.reason
  }
  return { location: upload.value, coming: body.value }
}

/** OCI distribution-spec, "POST then PUT". */
async function putWhole(put: Put): Promise<'copied' | 'skipped'> {
  const { session, descriptor, sending } = put
  const begun = await begin(put)
  if (begun === undefined) return 'skipped'
  const { location, coming } = begun
  using ended = coming
  const { verified } = ended
  try {
    const { size } = descriptor
    const body = size <= FROM_MEMORY_BYTES ? (await readUpTo(size, verified)).bytes : verified
    if (coming.failure !== undefined) throw coming.failure
    await sending.during(() =>
      commitUpload(session, descriptor, { location, body }, sending.signal),
    )
    if (!verified.proven) {
      throw wrongAnswer(pushOperation(session, 'commit', descriptor.digest), TOO_SOON)
    }
    return 'copied'
  } catch (error) {
    // Asked before the upload is cancelled: the body may break by itself while nobody reads it.
    const culprit = coming.failure ?? error
    await cancel(put, location)
    throw culprit
  }
}

/** Not sent where the registry takes no PATCH; that is remembered for an hour. */
type Sent = 'copied' | 'skipped' | 'not-sent'

async function putInOnePatch(put: Put): Promise<Sent> {
  const { session, descriptor, record, open, checkpoint, sending, signal } = put
  const found = checkpoint && (await continuedUpload(session, descriptor, checkpoint, signal))
  if (found === undefined) {
    const begun = await begin(put)
    if (begun === undefined) return 'skipped'
    // Where a registry keeps what came of a request that was cut, this is all that it takes to continue it.
    await checkpoint?.save({ location: begun.location.href, offset: 0 })
    return await send(put, { descriptor, offset: 0, ...begun })
  }
  const { location, offset } = found
  record.at(location)
  if (offset === descriptor.size) {
    await commit(put, location)
    return 'copied'
  }
  const coming = new ComingBlob(await open(offset, sending.signal), descriptor, signal, offset)
  return await send(put, { descriptor, offset, location, coming })
}

async function send(put: Put, begun: BegunPatch): Promise<Sent> {
  const { session, checkpoint, sending } = put
  using coming = begun.coming
  const sent = await sending.during(() => patchUpload(session, begun, sending.signal))
  const failure = sent.failure ?? (await failureOf(commit(put, sent.location)))
  if (failure === undefined) return 'copied'
  if (await isKept(put, begun, sent)) throw failure
  await checkpoint?.clear()
  await cancel(put, sent.location)
  const isRefused = coming.failure === undefined && refusesPatch(sent.failure)
  if (begun.offset > 0 || !isRefused) throw coming.failure ?? failure
  session.learned.takesNoPatchUntil = Date.now() + PATCH_AGAIN_MS
  return 'not-sent'
}

/** What the registry, which may be away, does not cancel now is left to whoever cancels what was left. */
async function cancel({ session, record }: Put, location: URL): Promise<void> {
  if (!(await cancelUpload(session, location))) record.keep()
}

/** What the registry has of a body that broke is for whoever comes next. */
async function isKept(
  { checkpoint, record }: Put,
  { offset, coming: { failure } }: BegunPatch,
  { location, arrived = 0 }: SentPatch,
): Promise<boolean> {
  if (checkpoint === undefined || failure === undefined) return false
  // Of the first byte, registries say the same as of none.
  if (failure instanceof CorruptBlobError || arrived <= offset + 1) return false
  await checkpoint.save({ location: location.href, offset: arrived })
  record.keep()
  return true
}

async function commit({ session, descriptor, checkpoint, sending }: Put, location: URL) {
  await commitUpload(session, descriptor, { location }, sending.signal)
  await checkpoint?.clear()
}

async function failureOf(work: Promise<unknown>): Promise<Error | undefined> {
  return await work.then(() => undefined, asError)
}

function refusesPatch(error: unknown): boolean {
  return error instanceof RegistryError && UNWILLING.has(error.status ?? 0)
}
