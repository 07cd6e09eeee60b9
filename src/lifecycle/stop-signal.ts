import { writeToStderr } from './deadline.ts'

/** Tells a process to come to its end. Disposing of it gives the signals back to Node. */
export interface StopSignal extends Disposable {
  /** Aborted once the process is to end; everything that waits takes it. */
  readonly signal: AbortSignal
  /** Resolves then, with the reason: `SIGTERM`, `SIGINT`, or what `stop` was told. */
  readonly stopped: Promise<string>
  /** Asks for an orderly end for another reason. Only the first one counts. */
  stop(reason: string): void
}

export interface StopOptions {
  /** Takes the one line that is said when an end is forced. Default: standard error. */
  readonly write?: (line: string) => void
}

/**
 * SIGTERM or SIGINT ask for an orderly end; a second SIGINT forces it at once, for whoever sits at
 * the terminal. Other signals are left alone: SIGHUP is for the configuration.
 */
export function stopSignal({ write = writeToStderr }: StopOptions = {}): StopSignal {
  const controller = new AbortController()
  const { signal } = controller
  const stopped = new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve(stopReason(signal))
    })
  })
  let interrupted = false

  function stop(reason: string): void {
    if (!signal.aborted) controller.abort(new StopRequested(reason))
  }
  function onTerminate(): void {
    stop('SIGTERM')
  }
  function onInterrupt(): void {
    if (interrupted) forceEnd(write)
    interrupted = true
    stop('SIGINT')
  }

  process.on('SIGTERM', onTerminate)
  process.on('SIGINT', onInterrupt)
  return {
    signal,
    stopped,
    stop,
    [Symbol.dispose]() {
      process.off('SIGTERM', onTerminate)
      process.off('SIGINT', onInterrupt)
    },
  }
}

/** Why everything ended that waited: the `reason` of an aborted stop signal. */
export class StopRequested extends Error {
  override readonly name = 'StopRequested'
  readonly reason: string

  constructor(reason: string) {
    super(`the process is stopping (${reason})`)
    this.reason = reason
  }
}

/** `SIGTERM`, `SIGINT`, or what `stop` was told; `asked to` where the signal is none of a `StopSignal`. */
export function stopReason({ reason }: AbortSignal): string {
  return reason instanceof StopRequested ? reason.reason : 'asked to'
}

// 128 + SIGINT, as shells have it.
const INTERRUPTED = 130

function forceEnd(write: (line: string) => void): never {
  write('pullsync: interrupted a second time, ending at once')
  process.exit(INTERRUPTED)
}
