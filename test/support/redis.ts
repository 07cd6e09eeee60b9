import { type Child, lastLines, startChild } from './child.ts'
import { freePort } from './free-port.ts'
import { tempFolder } from './temp-folder.ts'

export interface RedisOptions {
  /** True unless told: without it a restart forgets everything. */
  readonly appendOnly?: boolean
  readonly port?: number
}

/** A real Redis on a free port of 127.0.0.1, with a folder of its own. */
export interface TestRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  stop(): Promise<void>
  /** Again on the same port and data. */
  start(): Promise<void>
  kill9(): Promise<void>
  /** Keeps its connections and answers nothing, until `resume`. */
  pause(): void
  resume(): void
}

/** Resolves once Redis accepts connections. */
export async function startRedis(options: RedisOptions = {}): Promise<TestRedis> {
  const folder = await tempFolder('redis')
  try {
    return await startAt(folder, options.port ?? (await freePort()), options.appendOnly ?? true)
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    // Somebody else took the port in the meantime.
    const taken = error instanceof Error && error.message.includes('Address already in use')
    if (taken && options.port === undefined) return await startRedis(options)
    throw error
  }
}

async function startAt(
  folder: AsyncDisposable & { readonly path: string },
  port: number,
  appendOnly: boolean,
): Promise<TestRedis> {
  let child: Child | undefined
  async function start(): Promise<void> {
    child = await startRedisServer(folder.path, port, appendOnly)
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    start,
    stop: async () => {
      await child?.stop()
    },
    kill9: async () => {
      await child?.kill9()
    },
    pause: () => child?.signal('SIGSTOP'),
    resume: () => child?.signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      // Nothing in it is worth a graceful end, which a paused one would not come to.
      await child?.kill9()
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function startRedisServer(folder: string, port: number, appendOnly: boolean): Promise<Child> {
  const child = await startChild({
    command: 'redis-server',
    args: [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder],
      ...['--appendonly', appendOnly ? 'yes' : 'no', '--save', '', '--daemonize', 'no'],
    ],
  })
  try {
    await child.waitForOutput(/ready to accept connections/i)
    return child
  } catch (cause) {
    await child.kill9()
    throw new Error(
      `redis-server did not start on port ${port}; its last lines:\n${lastLines(child.lines())}`,
      { cause },
    )
  }
}
