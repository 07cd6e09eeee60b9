import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { childEnvironment } from '../process/child.ts'
import { run, type RunOptions } from '../process/run.ts'

export interface Login {
  readonly username: string
  readonly password: string
}

/** A program that people pull and run images with, with a storage of its own. */
export interface ContainerClient extends AsyncDisposable {
  /** Like `127.0.0.1:8080/team/app:1.0`. A failure is told with what the program printed. */
  pull(image: string, login?: Login): Promise<Pulled>
  /** Pushes an image that was pulled under another name. */
  push(image: string, as: string): Promise<Pulled>
  /** What a command in a container of an image that was pulled prints. */
  run(image: string, command: readonly string[]): Promise<string>
}

export interface Pulled {
  readonly code: number
  readonly output: string
}

/** What a client is called, and how it is started. */
export interface ClientKind {
  readonly name: string
  /** All of these are needed. */
  readonly programs: readonly string[]
  readonly start: () => Promise<ContainerClient>
}

/** Starts it, or skips the test with the reason: no fault of pullsync's that an engine does not start. */
export async function startedOr<Client>(
  skip: (why: string) => never,
  start: () => Promise<Client>,
): Promise<Client> {
  try {
    return await start()
  } catch (error) {
    return skip(`it did not start: ${String(error)}`)
  }
}

/** Runs a client's command to its end; a pull of a large image takes its time. */
export async function pulled(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Pulled> {
  const { code, stdout, stderr } = await run(command, args, { within: 120_000, ...options })
  return { code, output: `${stdout.toString('utf8')}${stderr.toString('utf8')}` }
}

/** What it prints, or an error with what it says. */
export async function printed(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code === 0) return stdout.toString('utf8')
  throw new Error(
    `${command} ${args.join(' ')} ended with code ${code}: ${stderr.toString('utf8')}`,
  )
}

/** Why this machine cannot run container clients; undefined where it can. */
export async function whyNoContainers(kind: ClientKind): Promise<string | undefined> {
  for (const program of kind.programs) {
    if (!(await isInstalled(program))) {
      return `${program} is not installed; "npm run setup -- --clients" installs it`
    }
  }
  // Containers want mounts and namespaces, which not every container that tests run in allows.
  const { code } = await run('unshare', ['--mount', '--net', '--pid', '--fork', 'true'])
  return code === 0 ? undefined : 'this user must not make mounts and namespaces'
}

async function isInstalled(program: string): Promise<boolean> {
  const folders = (childEnvironment()['PATH'] ?? '').split(delimiter)
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  )
  return found.includes(true)
}
