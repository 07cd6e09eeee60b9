import type { ClientRequest } from 'node:http'
import type { Readable } from 'node:stream'
import { CodedError, STALLED } from './coded-error.ts'
import { Relay } from './relay.ts'

/** What ends a guarded body, in the words of whoever asked for it. */
export interface GuardedErrors {
  readonly stalled: () => Error
  readonly broken: (cause: Error) => Error
}

/**
 * Passes a response's body through and fails it when its reader wants bytes and none come for
 * `limitMs`. Time in which the reader does not want any does not count: a slow target, or a rate
 * limit, is not the sender's fault. There is no limit on the whole.
 */
export class StallGuard extends Relay {
  readonly #errors: GuardedErrors
  readonly #timer: NodeJS.Timeout
  #passed = 0

  constructor(raw: Readable, limitMs: number, errors: GuardedErrors) {
    super()
    this.#errors = errors
    this.#timer = setTimeout(() => {
      const passed = this.#passed
      // A process that was busy for long finds the timer due before it has read what has come.
      setImmediate(() => {
        if (this.wanted && this.#passed === passed) this.destroy(errors.stalled())
      })
    }, limitMs)
    this.relay(raw)
  }

  protected override passing(): void {
    this.#passed += 1
  }

  protected override broken(cause: Error): void {
    this.destroy(this.#errors.broken(cause))
  }

  override _read(): void {
    this.#timer.refresh()
    super._read()
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
  let stopped = false
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
    // As above: what has come while the process was busy must have been read before it is judged.
    setImmediate(() => {
      if (stopped || progressOf(request) !== seen) return
      clearInterval(timer)
      const what = request.writableFinished ? 'no answer came' : 'no byte was taken'
      stalled(new CodedError(STALLED, `${what} for ${seconds(limitMs)}`))
    })
  }, interval)
  return () => {
    stopped = true
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
