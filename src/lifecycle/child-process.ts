import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** Default: this process's environment. */
  readonly env?: NodeJS.ProcessEnv
  /** Takes each line that the child prints, on standard output and standard error. */
  readonly onLine: (line: string) => void
  /** How long a SIGTERM may take before SIGKILL follows. Default 10,000. */
  readonly killAfterMs?: number
}

/** How a child ended: with a code, or by a signal. */
export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running child process. Disposing of it stops it. */
export interface RunningChild extends AsyncDisposable {
  readonly pid: number
  /** Resolves when it has ended and its last lines are read; never rejects. */
  readonly exited: Promise<ChildExit>
  /** SIGTERM, then SIGKILL when that is not enough. */
  stop(): Promise<ChildExit>
}

/** A child that could not be started at all. */
export class ChildStartError extends Error {
  override readonly name = 'ChildStartError'

  constructor(command: string, cause: Error) {
    const missing = 'code' in cause && cause.code === 'ENOENT'
    super(
      `cannot start ${command}: ${missing ? 'there is no such program (install it, or put it on the PATH)' : cause.message}`,
      { cause },
    )
  }
}

/**
 * Starts a child of its own process group: a Ctrl-C at the terminal reaches this process alone,
 * which stops the child when it no longer needs it. A child never outlives an exit of this process.
 *
 * @throws ChildStartError
 */
export async function startChild(options: ChildOptions): Promise<RunningChild> {
  const child = spawn(options.command, options.args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: options.env ?? process.env,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  const exited = exitOf(child)
  forwardLines(child.stdout, options.onLine)
  forwardLines(child.stderr, options.onLine)
  const pid = await pidOf(child, options.command)
  const stop = () => stopChild(child, exited, options.killAfterMs ?? 10_000)
  return {
    pid,
    exited,
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}

// Long enough to read the last lines; a grandchild may hold the pipe open for ever.
const LAST_LINES_MS = 500

function exitOf(child: ChildProcess): Promise<ChildExit> {
  function killIt(): void {
    child.kill('SIGKILL')
  }
  process.once('exit', killIt)
  child.once('exit', () => {
    process.off('exit', killIt)
    setTimeout(() => {
      child.stdout?.destroy()
      child.stderr?.destroy()
    }, LAST_LINES_MS).unref()
  })
  return new Promise((resolve) => {
    child.once('close', (code, signal) => {
      process.off('exit', killIt)
      resolve({ code, signal })
    })
  })
}

function pidOf(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => {
      resolve(child.pid ?? 0)
    })
    child.once('error', (cause) => {
      reject(new ChildStartError(command, cause))
    })
  })
}

async function stopChild(
  child: ChildProcess,
  exited: Promise<ChildExit>,
  killAfterMs: number,
): Promise<ChildExit> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
  try {
    return await exited
  } finally {
    clearTimeout(timer)
  }
}

function forwardLines(stream: Readable, onLine: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', onLine)
}
