import { execFile } from 'node:child_process'
import { childEnvironment, endWithThisProcess } from './child.ts'

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Milliseconds after which it is killed; 150,000 unless told. */
  readonly within?: number
}

export interface Ran {
  /** The exit code; -1 when a signal ended it. */
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: Buffer
}

/** Runs a command to its end. Its failure is a code, not an exception; only a missing command throws. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  return await new Promise((resolve, reject) => {
    const settings = {
      encoding: 'buffer',
      env: childEnvironment(options.env),
      timeout: options.within ?? 150_000,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 1024 * 1024,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    } as const
    const child = execFile(command, [...args], settings, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') {
        reject(new Error(`${command} is not installed; "npm run setup" installs it`))
        return
      }
      resolve({ code: codeOf(error), stdout, stderr })
    })
    child.stdin?.end()
    endWithThisProcess(child)
  })
}

function codeOf(error: { readonly code?: unknown } | null): number {
  if (error === null) return 0
  return typeof error.code === 'number' ? error.code : -1
}
