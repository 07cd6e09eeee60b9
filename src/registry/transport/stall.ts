import type { ClientRequest } from 'node:http'
import type { Readable } from 'node:stream'
import { CodedError, STALLED } from '../words/coded-error.ts'
import { PassThroughBody } from '../../waiting/pass-through-body.ts'

/** What ends a guarded body, in the words of whoever asked for it. */
export interface GuardedErrors {
  readonly stalled: (error: CodedError) => Error
  readonly broken: (cause: Error) => Error
}

/** Both in milliseconds in which its reader wants bytes. */
export interface BodyLimits {
  /** The longest time without one. */
  readonly stallMs: number
  /** The longest time for all of them; no limit unless told. */
  readonly totalMs?: number
}

/**
 * Passes a response's body through and fails it when its reader wants bytes and none come for
 * long. Time in which the reader does not want any does not count: a slow target, or a rate limit, is
 * not the sender's fault.
 */
export class StallGuard extends PassThroughBody {
  readonly #errors: GuardedErrors
  readonly #timer: NodeJS.Timeout
  readonly #totalMs: number
  #passed = 0
  #wantedMs = 0
  #wantedSince = performance.now()

  constructor(raw: Readable, { stallMs, totalMs = Infinity }: BodyLimits, errors: GuardedErrors) {
    super()
    this.#errors = errors
    this.#totalMs = totalMs
    this.#timer = setTimeout(() => {
      const passed = this.#passed
      // A process that was busy for long finds the timer due before it has read what has come, and what it
      // reads is passed on at the end of that turn.
      setImmediate(() => {
        setImmediate(() => {
          if (this.wanted && this.#passed === passed)
            this.#stalled(`no byte came for ${seconds(stallMs)}`)
        })
      })
    }, stallMs)
    this.relay(raw)
  }

  protected override pass(piece: Buffer): Buffer {
    this.#passed += 1
    if (this.wanted) this.#count()
    return piece
  }

  #count(): void {
    this.#wantedMs += performance.now() - this.#wantedSince
    this.#wantedSince = performance.now()
    if (this.#wantedMs > this.#totalMs) {
      this.#stalled(`its bytes came too slowly, it was not whole after ${seconds(this.#totalMs)}`)
    }
  }

  protected override broken(cause: Error): void {
    this.destroy(this.#errors.broken(cause))
  }

  #stalled(what: string): void {
    this.destroy(this.#errors.stalled(new CodedError(STALLED, what)))
  }

  override _read(): void {
    if (!this.wanted) this.#wantedSince = performance.now()
    this.#timer.refresh()
    super._read()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    super._destroy(error, done)
  }
}

export interface RequestLimits {
  /** The longest time without a byte while connecting and sending. */
  readonly stallMs: number
  /** The longest time from the request's last byte to the response's headers. */
  readonly responseMs: number
  /** The longest time from the beginning to the response's headers, however many bytes come of them. */
  readonly totalMs: number
}

/** What there is to see of a request that has not been answered. */
export interface Watched {
  /** Bytes either way, or whatever else changes when something moves. */
  readonly moved: () => number
  /** All of the request was written. */
  readonly sent: () => boolean
  /** Nothing can move because nothing is to be sent yet. */
  readonly waits: () => boolean
}

export function watchedRequest(request: ClientRequest): Watched {
  return {
    moved: () => (request.socket?.bytesWritten ?? 0) + (request.socket?.bytesRead ?? 0),
    sent: () => request.writableFinished,
    waits: () => waitsForOwnBody(request),
  }
}

/**
 * Calls back when the other side does not take the request, or does not answer it. Time in which the
 * request's own body has nothing to send does not count. Returns how to stop watching.
 */
export function watchRequest(
  { moved, sent, waits }: Watched,
  limits: RequestLimits,
  stalled: (error: CodedError) => void,
): () => void {
  const progress = () => `${sent()} ${moved()}`
  // Whose answers take long has as long for the first byte.
  const wholeMs = Math.max(limits.totalMs, limits.responseMs)
  let seen = ''
  let since = performance.now()
  let begun = since
  let stopped = false
  const interval = Math.max(Math.min(limits.stallMs, limits.responseMs) / 4, 5)
  const timer = setInterval(() => {
    const now = progress()
    if (waits()) begun = performance.now()
    const isLate = performance.now() - begun > wholeMs
    if (!isLate && (now !== seen || waits())) {
      seen = now
      since = performance.now()
      return
    }
    const limitMs = sent() ? limits.responseMs : limits.stallMs
    if (!isLate && performance.now() - since < limitMs) return
    // As above: what has come while the process was busy must have been read before it is judged.
    setImmediate(() => {
      if (stopped || (!isLate && progress() !== seen)) return
      clearInterval(timer)
      const what = sent() ? 'no answer came' : 'no byte was taken'
      const late = `no whole answer came within ${seconds(wholeMs)}`
      stalled(new CodedError(STALLED, isLate ? late : `${what} for ${seconds(limitMs)}`))
    })
  }, interval)
  return () => {
    stopped = true
    clearInterval(timer)
  }
}

function waitsForOwnBody(request: ClientRequest): boolean {
  const connected = request.socket !== null && !request.socket.connecting
  return connected && !request.writableEnded && !request.writableNeedDrain
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
