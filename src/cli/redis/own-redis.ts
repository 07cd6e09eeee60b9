import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type ChildExit,
  ChildStartError,
  type RunningChild,
  startChild,
} from '../../lifecycle/child-process.ts'
import { redisAnswers, shutDownUnused } from '../../pool/ready.ts'
import { CommandError } from '../command-error.ts'
import { socketPathOf, socketUrl } from './redis-location.ts'
import { messageOf } from '../../thrown.ts'

/** The Redis of `pullsync up`. Disposing of it ends it. */
export interface OwnRedis extends AsyncDisposable {
  readonly url: string
  /** Resolves with how it ended, when it ends without having been told to. */
  readonly died: Promise<string>
}

const ASK_EVERY_MS = 50

/**
 * Starts a redis-server on a socket that only this user can open, with its data in the folder.
 *
 * @param signal ends the wait for it
 * @throws CommandError when it does not start
 */
export async function startOwnRedis(dataDir: string, signal: AbortSignal): Promise<OwnRedis> {
  const folder = resolve(dataDir)
  const socket = socketPathOf(dataDir)
  const url = socketUrl(socket)
  await ownFolder(folder)
  await ownFolder(dirname(socket))
  await endLeftOver(url, folder)
  const lines = new LastLines()
  const child = await startRedis(argumentsFor(folder, socket), lines)
  await untilAnswering({ child, lines, url, signal })
  return ownRedis(url, child, lines)
}

/** A killed run leaves its Redis behind, with the data open; its writes are ended in order. */
async function endLeftOver(url: string, folder: string): Promise<void> {
  if (!(await redisAnswers(url)) || (await shutDownUnused(url))) return
  throw new CommandError(
    `the Redis in ${folder} is in use: another "pullsync up" runs with this --data-dir. Stop it, or choose another.`,
  )
}

function argumentsFor(folder: string, socket: string): readonly string[] {
  return [
    ...['--port', '0', '--unixsocket', socket, '--unixsocketperm', '700'],
    // What was answered with 202 survives a crash, but for the last second.
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
    // A job's record in one piece takes half the memory; newer versions know the setting by this name, too.
    ...['--hash-max-ziplist-value', '1024'],
    ...['--dir', folder, '--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
  ]
}

async function startRedis(args: readonly string[], lines: LastLines): Promise<RunningChild> {
  try {
    return await startChild({
      command: 'redis-server',
      args,
      onLine: (line) => {
        lines.add(line)
      },
    })
  } catch (cause) {
    if (!(cause instanceof ChildStartError)) throw cause
    throw new CommandError(`${cause.message}. ${WITHOUT_REDIS}`, { cause })
  }
}

const WITHOUT_REDIS =
  'On Debian and Ubuntu: apt-get install redis-server; on macOS: brew install redis. Or set redis.url in the configuration to a Redis elsewhere.'

interface Starting {
  readonly child: RunningChild
  readonly lines: LastLines
  readonly url: string
  readonly signal: AbortSignal
}

// Loading a large append-only file takes its time; a Redis that cannot start ends by itself.
async function untilAnswering({ child, lines, url, signal }: Starting): Promise<void> {
  let end: ChildExit | undefined
  void child.exited.then((exit) => {
    end = exit
  })
  while (!signal.aborted && !(await redisAnswers(url))) {
    if (end !== undefined) throw new CommandError(`redis-server did not start: ${lines.after(end)}`)
    await delay(ASK_EVERY_MS)
  }
}

function ownRedis(url: string, child: RunningChild, lines: LastLines): OwnRedis {
  let stopping = false
  const died = new Promise<string>((resolve) => {
    void child.exited.then((exit) => {
      if (!stopping) resolve(lines.after(exit))
    })
  })
  return {
    url,
    died,
    async [Symbol.asyncDispose]() {
      stopping = true
      await child.stop()
    },
  }
}

/** What a child said before it ended, which is where the reason is. */
class LastLines {
  readonly #lines: string[] = []

  add(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > 10) this.#lines.shift()
  }

  after({ code, signal }: ChildExit): string {
    const how = signal === null ? `it ended with code ${code ?? 0}` : `it was ended by ${signal}`
    return [`${how}; its last lines:`, ...this.#lines.map((line) => `    ${line}`)].join('\n')
  }
}

/** Nobody else may put a socket or data where this user's commands look for them. */
async function ownFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const { uid } = await stat(folder)
    if (uid === process.getuid?.()) return
  } catch (cause) {
    const why = messageOf(cause)
    throw new CommandError(`cannot use ${folder} for data: ${why}. Choose another --data-dir.`)
  }
  throw new CommandError(`${folder} belongs to another user. Choose another --data-dir.`)
}
