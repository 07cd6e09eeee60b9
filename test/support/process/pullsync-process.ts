import { writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Child, type Exit, lastLines, startChild } from './child.ts'
import { ENOUGH_MS, eventually, Hopeless } from '../eventually.ts'
import { run } from './run.ts'
import { tempFolder } from './temp-folder.ts'

export interface PullsyncOptions {
  /** The command and its options, without `--config`: `['up']`, `['serve']`, `['worker']`. */
  readonly args: readonly string[]
  /** The text of the config file, or a file that is there already. */
  readonly config: string | { readonly file: string }
  /** It has started once this address answers 200, for example `http://127.0.0.1:9090/readyz` … */
  readonly readyUrl?: string
  /** … and a line like this was printed. */
  readonly readyLine?: RegExp
  readonly env?: Readonly<Record<string, string>>
  /** Of another build than that of this clone. */
  readonly script?: string
  /** What it is started through, such as `['ip', 'netns', 'exec', 'edge']`. */
  readonly through?: readonly string[]
  /** Milliseconds until it is ready; 60,000 unless told. */
  readonly within?: number
}

/** The built command line as a process of its own, with a config file in a folder of its own. */
export interface PullsyncProcess extends AsyncDisposable {
  readonly child: Child
  readonly folder: string
  readonly configFile: string
  output(): readonly string[]
  /** Overwrites the config file, for tests of its reload. */
  writeConfig(config: string): Promise<void>
  /** A further command with the same config file. */
  run(args: readonly string[]): Promise<PullsyncResult>
  /** SIGTERM; resolves with how it ended. */
  stop(within?: number): Promise<Exit>
  kill9(): Promise<Exit>
}

export interface PullsyncResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

// Longer than it gives itself: killed, it would leave the Redis of `up` behind.
const STOP_MS = 35_000

/** Starts `pullsync` and resolves once it is ready. It must have been built. */
export async function startPullsync(options: PullsyncOptions): Promise<PullsyncProcess> {
  const folder = await tempFolder('process')
  const { config } = options
  const configFile = typeof config === 'string' ? join(folder.path, 'pullsync.yaml') : config.file
  let child: Child | undefined
  try {
    if (typeof config === 'string') await writeFile(configFile, config)
    const own = [
      process.execPath,
      options.script ?? pullsyncScript(),
      ...options.args,
      '--config',
      configFile,
    ]
    const [command = process.execPath, ...args] = [...(options.through ?? []), ...own]
    child = await startChild({
      command,
      args,
      cwd: folder.path,
      // `up` has a Redis to end.
      lastSignal: 'SIGTERM',
      ...(options.env === undefined ? {} : { env: options.env }),
    })
    await isReady(child, options)
  } catch (error) {
    await child?.stop(STOP_MS)
    await folder[Symbol.asyncDispose]()
    throw error
  }
  return controls(child, folder, configFile)
}

/** Runs a command of the built command line to its end. */
export async function runPullsync(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<PullsyncResult> {
  const ran = await run(process.execPath, [pullsyncScript(), ...args], options)
  return {
    code: ran.code,
    stdout: ran.stdout.toString('utf8'),
    stderr: ran.stderr.toString('utf8'),
  }
}

function controls(
  child: Child,
  folder: AsyncDisposable & { readonly path: string },
  configFile: string,
): PullsyncProcess {
  return {
    child,
    folder: folder.path,
    configFile,
    output: () => child.lines(),
    writeConfig: (config) => writeFile(configFile, config),
    run: (args) => runPullsync([...args, '--config', configFile], { cwd: folder.path }),
    stop: (within = STOP_MS) => child.stop(within),
    kill9: () => child.kill9(),
    async [Symbol.asyncDispose]() {
      await child.stop(STOP_MS)
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function isReady(child: Child, options: PullsyncOptions): Promise<void> {
  const within = options.within ?? ENOUGH_MS
  if (options.readyLine !== undefined) await child.waitForOutput(options.readyLine, within)
  const url = options.readyUrl
  if (url === undefined) return
  await eventually(
    async () => {
      if (child.exit() !== undefined)
        throw new Hopeless(`pullsync ended:\n${lastLines(child.lines())}`)
      return (await fetch(url)).status === 200
    },
    { within, describe: () => `200 from ${url}; pullsync printed\n${lastLines(child.lines())}` },
  )
}

/** Above the sources as well as above what is built from them. */
function pullsyncScript(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return join(folder, 'dist', 'pullsync.js')
}
