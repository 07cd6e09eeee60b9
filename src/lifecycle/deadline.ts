import { EXIT } from './exit-codes.ts'

/** As long as Kubernetes waits by default before it kills. */
export const DEFAULT_DEADLINE_MS = 30_000

export interface DeadlineOptions {
  readonly afterMs?: number
  /** Takes the last line. Default: standard error. */
  readonly write?: (line: string) => void
}

/**
 * Ends the process with code 1 and one clear line, unless it has ended by itself within `afterMs`.
 * Keeps no process alive. Disposing of it calls the deadline off.
 */
export function deadline({
  afterMs = DEFAULT_DEADLINE_MS,
  write = writeToStderr,
}: DeadlineOptions = {}): Disposable {
  const timer = setTimeout(() => {
    write(`pullsync: not stopped within ${afterMs / 1_000} s, ending by force`)
    process.exit(EXIT.failed)
  }, afterMs).unref()
  return {
    [Symbol.dispose]() {
      clearTimeout(timer)
    },
  }
}

/** Writes one line to standard error. */
export function writeToStderr(line: string): void {
  process.stderr.write(`${line}\n`)
}

const LEFT_OVERS_MS = 500

/**
 * For a process whose work has ended in order: what a library still waits for, as for a Redis that is away, ends
 * with it half a second later.
 */
export function endSoon(): void {
  setTimeout(() => process.exit(), LEFT_OVERS_MS).unref()
}
