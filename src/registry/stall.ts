import type { ClientRequest } from 'node:http'
import { Transform, type TransformCallback } from 'node:stream'
import { CodedError, STALLED } from './failures.ts'

// Large enough that a thread busy with hashing does not leave the socket waiting.
const BUFFERED_BYTES = 256 * 1024

/**
 * Passes a response's body through and fails it when its reader wants bytes and none come for
 * `limitMs`. Time in which the reader does not want any does not count: a slow target, or a rate
 * limit, is not the sender's fault. There is no limit on the whole.
 */
export class StallGuard extends Transform {
  readonly #stalled: () => Error
  readonly #timer: NodeJS.Timeout
  #wanted = false

  constructor(limitMs: number, stalled: () => Error) {
    super({ highWaterMark: BUFFERED_BYTES })
    this.#stalled = stalled
    this.#timer = setTimeout(() => {
      if (this.#wanted) this.destroy(this.#stalled())
    }, limitMs)
  }

  override _read(size: number): void {
    this.#wanted = true
    this.#timer.refresh()
    super._read(size)
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    // More is wanted from the next _read on, which also starts the clock again.
    this.#wanted = this.push(chunk)
    done()
  }

  override _flush(done: TransformCallback): void {
    clearTimeout(this.#timer)
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    super._destroy(error, done)
  }

  /** The error of a stall, for the maker of the guard to explain. */
  static error(limitMs: number): CodedError {
    return new CodedError(STALLED, `no byte came for ${seconds(limitMs)}`)
  }
}

export interface RequestLimits {
  /** The longest time without a byte while connecting and sending. */
  readonly stallMs: number
  /** The longest time from the request's last byte to the response's headers. */
  readonly responseMs: number
}

/**
 * Calls back when the other side does not take the request, or does not answer it. Time in which the
 * request's own body has nothing to send does not count. Returns how to stop watching.
 */
export function watchRequest(
  request: ClientRequest,
  limits: RequestLimits,
  stalled: (error: CodedError) => void,
): () => void {
  let seen = ''
  let since = performance.now()
  const interval = Math.max(Math.min(limits.stallMs, limits.responseMs) / 4, 5)
  const timer = setInterval(() => {
    const now = progressOf(request)
    if (now !== seen || waitsForOwnBody(request)) {
      seen = now
      since = performance.now()
      return
    }
    const limitMs = request.writableFinished ? limits.responseMs : limits.stallMs
    if (performance.now() - since < limitMs) return
    clearInterval(timer)
    const what = request.writableFinished ? 'no answer came' : 'no byte was taken'
    stalled(new CodedError(STALLED, `${what} for ${seconds(limitMs)}`))
  }, interval)
  return () => {
    clearInterval(timer)
  }
}

function progressOf({ socket, writableFinished }: ClientRequest): string {
  return `${writableFinished} ${socket?.bytesWritten ?? 0} ${socket?.bytesRead ?? 0}`
}

function waitsForOwnBody(request: ClientRequest): boolean {
  const connected = request.socket !== null && !request.socket.connecting
  return connected && !request.writableEnded && !request.writableNeedDrain
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
