import { type Child, lastLines, startChild } from './child.ts'
import { freePort } from './free-port.ts'
import { tempFolder } from './temp-folder.ts'

export interface RedisOptions {
  /** True unless told: without it a restart forgets everything. */
  readonly appendOnly?: boolean
  readonly port?: number
  /** 127.0.0.1 unless told. */
  readonly address?: string
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
    return await startAt(folder, options.port ?? (await freePort()), options)
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
  { appendOnly = true, address = '127.0.0.1' }: RedisOptions,
): Promise<TestRedis> {
  let child: Child | undefined
  async function start(): Promise<void> {
    child = await startRedisServer([
      ...['--port', String(port), '--bind', address, '--protected-mode', 'no'],
      ...['--dir', folder.path, '--appendonly', appendOnly ? 'yes' : 'no'],
    ])
  }
  await start()
  return {
    url: `redis://${address}:${port}`,
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

async function startRedisServer(settings: readonly string[]): Promise<Child> {
  const args = [...settings, '--save', '', '--daemonize', 'no']
  const child = await startChild({ command: 'redis-server', args })
  try {
    await child.waitForOutput(/ready to accept connections/i)
    return child
  } catch (cause) {
    await child.kill9()
    throw new Error(
      `redis-server ${args.join(' ')} did not start; its last lines:\n${lastLines(child.lines())}`,
      { cause },
    )
  }
}
