import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type AccessLogLine,
  type RequestFilter,
  matchesFilter,
  parseAccessLogLine,
} from './access-log.ts'
import { type Child, lastLines, startChild } from '../process/child.ts'
import { eventually, Hopeless } from '../eventually.ts'
import { freePort } from '../network/free-port.ts'
import { isUp } from '../network/is-up.ts'
import { registryCommand } from './registry-command.ts'
import { PROBE_HEADER, type RegistryOptions, registryConfig } from './registry-config.ts'
import { tempFolder } from '../process/temp-folder.ts'

/** A real CNCF distribution registry on a free port, with a folder of its own. */
export interface TestRegistry extends AsyncDisposable {
  /** Without a slash at the end. */
  readonly url: string
  /** As it stands in image names: `127.0.0.1:port`. */
  readonly host: string
  readonly port: number
  readonly storageFolder: string
  /** Of its process, while it runs. */
  pid(): number | undefined
  /**
   * Every request so far, over restarts, but for this helper's own probes. A line is written after
   * its response: use `eventually` to count what has just been asked.
   */
  accessLog(): readonly AccessLogLine[]
  requests(filter: RequestFilter): readonly AccessLogLine[]
  /** The latest lines that the registry printed. */
  output(): readonly string[]
  stop(): Promise<void>
  /** Again on the same port and storage. */
  start(): Promise<void>
  kill9(): Promise<void>
}

/** Resolves once the registry answers; its storage is removed with it unless it was given. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const folder = await tempFolder('registry')
  try {
    const port = options.port ?? (await freePort())
    return await startAt(folder, port, options)
  } catch (error) {
    await folder[Symbol.asyncDispose]()
    // Somebody else took the port in the meantime.
    const taken = error instanceof Error && error.message.includes('address already in use')
    if (taken && options.port === undefined) return await startRegistry(options)
    throw error
  }
}

async function startAt(
  folder: AsyncDisposable & { readonly path: string },
  port: number,
  options: RegistryOptions,
): Promise<TestRegistry> {
  const storageFolder = options.storageFolder ?? join(folder.path, 'storage')
  const probe = randomUUID()
  const configFile = join(folder.path, 'config.yml')
  await writeFile(
    configFile,
    await registryConfig(options, { folder: folder.path, storageFolder, port, probe }),
  )
  const log: AccessLogLine[] = []
  const host = `${options.address ?? '127.0.0.1'}:${port}`
  const url = `${options.tls === undefined ? 'http' : 'https'}://${host}`
  let child: Child | undefined
  async function start(): Promise<void> {
    child = await startChild({
      command: options.program ?? registryCommand(),
      args: ['serve', configFile],
      ...(options.trusts !== undefined && { env: { SSL_CERT_FILE: options.trusts } }),
      onStdoutLine: (line) => {
        const parsed = parseAccessLogLine(line)
        if (parsed !== undefined && parsed.userAgent !== probe) log.push(parsed)
      },
    })
    await answers(child, url, probe)
  }
  await start()
  return {
    url,
    host,
    port,
    storageFolder,
    pid: () => child?.pid,
    accessLog: () => log,
    requests: (filter) => log.filter((line) => matchesFilter(line, filter)),
    output: () => child?.lines() ?? [],
    stop: async () => {
      await child?.stop()
    },
    start,
    kill9: async () => {
      await child?.kill9()
    },
    async [Symbol.asyncDispose]() {
      await child?.stop()
      await folder[Symbol.asyncDispose]()
    },
  }
}

// The header proves that it is this registry and not another one that had the port first.
async function answers(child: Child, url: string, probe: string): Promise<void> {
  try {
    await eventually(
      async () => {
        if (child.exit() !== undefined) throw new Hopeless('it ended')
        return await isUp(`${url}/v2/`, { name: PROBE_HEADER, value: probe })
      },
      { describe: `docker-registry to answer at ${url}` },
    )
  } catch (cause) {
    await child.stop()
    throw new Error(
      `docker-registry did not start at ${url}; its last lines:\n${lastLines(child.lines())}`,
      { cause },
    )
  }
}
