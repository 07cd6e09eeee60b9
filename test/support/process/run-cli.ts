import { Writable } from 'node:stream'
import { runProgram } from '../../../src/cli/program.ts'
import type { Roots } from '../../../src/cli/root-options.ts'
import { harborNginx } from '../../../src/webhook/harbor-nginx.ts'
import { nginxSnippet } from '../../../src/webhook/nginx-snippet.ts'
import { notificationsSnippet } from '../../../src/webhook/notifications/notifications.ts'
import type { Screen } from './screen.ts'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly env?: NodeJS.ProcessEnv
  /** Standard output is a terminal this wide. */
  readonly columns?: number
  /** Standard output is this screen, and the result's `stdout` is empty. */
  readonly terminal?: Screen
}

/** Runs a command line in this process, with everything but `serve`, `worker` and `up`. */
export async function runCli(
  args: readonly string[],
  { env = {}, columns, terminal: screen }: CliOptions = {},
): Promise<CliResult> {
  const stdout = new Captured()
  const stderr = new Captured()
  const terminal = columns === undefined ? {} : { isTTY: true, columns }
  const streams = { stdout: screen ?? Object.assign(stdout, terminal), stderr }
  const code = await runProgram(args, env, streams, ROOTS)
  return { code, stdout: stdout.text, stderr: stderr.text }
}

const ROOTS: Roots = {
  serve: () => Promise.reject(new Error('serve runs as a process of its own')),
  worker: () => Promise.reject(new Error('worker runs as a process of its own')),
  notificationsSnippet: () => Promise.resolve(notificationsSnippet),
  nginxSnippet: () => Promise.resolve(nginxSnippet),
  harborNginx: () => Promise.resolve(harborNginx),
}

class Captured extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString('utf8')
    done()
  }
}
