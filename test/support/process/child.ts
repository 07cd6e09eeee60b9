import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { ENOUGH_MS, eventually, Hopeless } from '../eventually.ts'

export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  /** Added to this process's environment, from which proxies are left out. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly onStdoutLine?: (line: string) => void
  /**
   * What it gets if it is still there when this process ends in disorder. SIGKILL unless told;
   * SIGTERM for one that has children of its own to end.
   */
  readonly lastSignal?: 'SIGKILL' | 'SIGTERM'
}

/** How a process ended: with a code, or by a signal. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A running process whose output is kept. Disposing of it ends it, by force if need be. */
export interface Child extends AsyncDisposable {
  readonly pid: number
  /** The latest lines of both streams, at most 5,000. */
  lines(): readonly string[]
  /** How it ended; undefined while it runs. */
  exit(): Exit | undefined
  /** The first kept line that matches; fails at once when the process ends without one. */
  waitForOutput(pattern: RegExp, within?: number): Promise<string>
  waitForExit(within?: number): Promise<Exit>
  /** Resolves with how it ended, whenever that is. */
  readonly ended: Promise<Exit>
  signal(signal: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL when that did not end it within so many milliseconds. */
  stop(within?: number): Promise<Exit>
  kill9(): Promise<Exit>
}

/** Before it is ended by force. */
const STOP_MS = 10_000
const MAX_LINES = 5_000
const alive = new Map<ChildProcess, NodeJS.Signals>()
// A process that ends in the middle of a test or demo never gets to dispose of anything.
process.once('exit', () => {
  for (const [spawned, signal] of alive) spawned.kill(signal)
})

/** Sees to it that a process does not outlive this one. */
export function endWithThisProcess(
  spawned: ChildProcess,
  lastSignal: NodeJS.Signals = 'SIGKILL',
): void {
  alive.set(spawned, lastSignal)
  spawned.once('exit', () => alive.delete(spawned))
}

/** Starts a process without a terminal. A command that is not there fails here, by name. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const lines: string[] = []
  const spawned = spawn(options.command, [...options.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: childEnvironment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  keepLines(spawned.stdout, lines, options.onStdoutLine)
  keepLines(spawned.stderr, lines)
  let exit: Exit | undefined
  const ended = new Promise<Exit>((resolve) => {
    // `close` and not `exit`: then the last lines have been read too.
    spawned.once('close', (code, signal) => {
      exit = { code, signal }
      resolve(exit)
    })
  })
  await hasSpawned(spawned, options.command)
  endWithThisProcess(spawned, options.lastSignal)
  return { ...controls(spawned, options.command, lines, () => exit), ended }
}

/** This process's environment with what is needed to run servers on loopback. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(https?|all|no)_proxy$/i.test(name))
  // Debian keeps nginx where an ordinary user's PATH does not look.
  const path = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
  return { ...Object.fromEntries(own), PATH: path, ...extra }
}

function controls(
  spawned: ChildProcess,
  command: string,
  lines: readonly string[],
  exit: () => Exit | undefined,
): Omit<Child, 'ended'> {
  const named = `${command} (process ${spawned.pid ?? 0})`
  const waitForExit = (within = ENOUGH_MS) =>
    eventually(exit, { within, describe: `the end of ${named}` })
  const kill9 = async () => {
    spawned.kill('SIGKILL')
    return await waitForExit()
  }
  const stop = async (within = STOP_MS) => {
    if (exit() === undefined) spawned.kill('SIGTERM')
    return await waitForExit(within).catch(kill9)
  }
  return {
    pid: spawned.pid ?? 0,
    lines: () => lines,
    exit,
    waitForExit,
    waitForOutput: (pattern, within = ENOUGH_MS) =>
      eventually(
        () => lines.find((line) => pattern.test(line)) ?? unlessEnded(named, lines, exit),
        {
          within,
          describe: () => `${named} to print ${String(pattern)}; it printed\n${lastLines(lines)}`,
        },
      ),
    signal: (signal) => {
      spawned.kill(signal)
    },
    stop,
    kill9,
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}

/** The end of a process makes waiting for anything else from it hopeless. */
function unlessEnded(named: string, lines: readonly string[], exit: () => Exit | undefined): false {
  const end = exit()
  if (end === undefined) return false
  throw new Hopeless(
    `${named} ended with ${end.signal ?? `code ${end.code ?? 0}`}; its last lines:\n${lastLines(lines)}`,
  )
}

/** The last lines of a process's output, as they stand in the message of a failure. */
export function lastLines(lines: readonly string[]): string {
  return lines
    .slice(-20)
    .map((line) => `    ${line}`)
    .join('\n')
}

function keepLines(stream: Readable, lines: string[], onLine?: (line: string) => void): void {
  createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => {
    lines.push(line)
    if (lines.length > MAX_LINES) lines.shift()
    onLine?.(line)
  })
}

async function hasSpawned(spawned: ChildProcess, command: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    spawned.once('spawn', resolve)
    spawned.once('error', (cause) => {
      reject(new Error(`${command} could not be started; "npm run setup" installs it`, { cause }))
    })
  })
}
