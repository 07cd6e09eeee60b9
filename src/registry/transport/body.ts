import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { abortReason, onAbort } from '../../waiting/aborting.ts'
import { type RequestIdentity, brokenBody } from '../errors/failures.ts'
import type { AnswerLimits } from './brief-limit.ts'
import { StallGuard } from './stall.ts'

/**
 * A response's body that is safe to hold: a stall or a broken connection ends it with a RegistryError
 * and an abort with the signal's reason, also before anybody listens.
 */
export function guardedBody(
  raw: Readable,
  request: RequestIdentity,
  limits: Omit<AnswerLimits, 'answered'>,
  signal: AbortSignal,
): Readable {
  const body = new StallGuard(raw, limits, {
    stalled: (error) => {
      limits.stalled()
      return brokenBody(request, error)
    },
    broken: (cause) => (signal.aborted ? abortReason(signal) : brokenBody(request, cause)),
  })
  body.once(
    'close',
    onAbort(signal, () => body.destroy(abortReason(signal))),
  )
  // It may break before its reader has it in hand; who reads later is still told.
  body.on('error', () => undefined)
  return body
}

/** What does not come soon is not waited for: whoever sends it byte by byte would keep ever more connections open. */
const READ_AWAY_MS = 2_000

/** Lets go of a body that nobody reads. Small ones are read away, so that the connection is kept. */
export function discard(body: Readable, limit = 64 * 1024, withinMs = READ_AWAY_MS): void {
  let read = 0
  body.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read > limit) body.destroy()
  })
  const late = setTimeout(() => body.destroy(), withinMs).unref()
  body.once('close', () => {
    clearTimeout(late)
  })
}

/** The whole body, or its first bytes up to the limit; what lies beyond is not read. */
export async function readUpTo(
  limit: number,
  body: Readable,
): Promise<{ readonly bytes: Buffer; readonly complete: boolean }> {
  const pieces = new Pieces()
  let length = 0
  body.on('data', (chunk: Buffer) => {
    pieces.push(chunk)
    length += chunk.length
    if (length > limit) body.destroy()
  })
  await finished(body).catch((error: unknown) => {
    if (length <= limit) throw error
  })
  return { bytes: pieces.joined().subarray(0, limit), complete: length <= limit }
}

/** Each takes a hundred bytes beside its own. */
const JOINED_BY = 1_024

/** Whoever sends a manifest byte by byte must not have a process keep millions of pieces. */
class Pieces {
  readonly #joined: Buffer[] = []
  #latest: Buffer[] = []

  push(piece: Buffer): void {
    this.#latest.push(piece)
    if (this.#latest.length < JOINED_BY) return
    this.#joined.push(Buffer.concat(this.#latest))
    this.#latest = []
  }

  joined(): Buffer {
    return Buffer.concat([...this.#joined, ...this.#latest])
  }
}
