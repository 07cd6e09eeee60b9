import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { socketPathOf } from '../../src/cli/redis/redis-location.ts'
import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { freePort } from '../../test/support/network/free-port.ts'
import { type Line, startLine } from '../../test/support/network/line.ts'
import { type PullsyncProcess, startPullsync } from '../../test/support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../../test/support/redis/redis.ts'
import type { Started } from '../../test/support/process/started.ts'
import { tempFolder } from '../../test/support/process/temp-folder.ts'
import { goProgram } from '../../test/support/process/go-program.ts'
import { startTokenService } from '../../test/support/registry/token-service.ts'
import { type SickServer, startSickServer } from './sick-server.ts'
import { ACCOUNT, SECRET, type SiteAddresses, siteConfig } from './site-config.ts'
import { mountSmallDisk } from './small-disk.ts'

const DATA = 'data'

/** What does not start fails at once, with what it said; what takes that long on a busy machine is only slow. */
const STARTS_WITHIN_MS = 600_000
/** More than it gives itself on a machine that has twenty times as much to do as it can. */
const ENDS_WITHIN_MS = 300_000

/** So long CNCF distribution takes a token after its end. */
const REGISTRY_LEEWAY_S = 60

/** `up`: one process. `fleet`: two `serve`, three `worker`, and a Redis that can be taken away. */
export type Shape = 'up' | 'fleet'

/** One process of pullsync, which can be started again after its end. */
export interface Role {
  readonly name: string
  current: PullsyncProcess
  /** To a Redis that others use, too. */
  readonly redisLine: Line | undefined
  /** Where its temporary files are, on a small disk of its own; absent where none could be made. */
  readonly smallDisk: string | undefined
  restart(): Promise<void>
  /** Tells it to end. @throws Error when it does not end in order */
  end(): Promise<void>
  /** The latest lines of all its processes so far. */
  output(): readonly string[]
}

export interface Site {
  /** Where tags are moved; what is pushed there is upstream at once, also while that is away. */
  readonly publishing: TestRegistry
  /** What pullsync pulls from, by tokens that last for some seconds. */
  readonly upstream: TestRegistry
  /** Answers everything with 503, to stand in the place of a registry. */
  readonly sick: SickServer
  readonly upstreamLine: Line
  readonly local: TestRegistry
  /** It keeps what was cut and cannot cancel it (CNCF distribution 2.8). */
  readonly localKeepsUploads: boolean
  readonly localLine: Line
  readonly redis: TestRedis | undefined
  /** A URL, or the socket of the Redis that `up` brings. */
  readonly redisAt: string
  readonly serving: readonly Role[]
  readonly workers: readonly Role[]
  /** Where clients pull and events go, one for each serving process. */
  readonly urls: readonly string[]
  /** Every temporary file of pullsync is below it. */
  readonly folder: string
}

export async function startSite(shape: Shape, started: Started): Promise<Site> {
  const { path: folder } = await started.add(tempFolder('soak'))
  const { tokensAt, ...registries } = await startRegistries(started)
  const { upstream, local } = registries
  const upstreamLine = await started.add(startLine(upstream.port))
  const localLine = await started.add(startLine(local.port))
  const redis = shape === 'fleet' ? await started.add(startRedis()) : undefined
  const ends = { local: localLine.url, upstream: upstreamLine.url, tokensAt }
  const urls: string[] = []
  const startServing = async (name: string): Promise<Role> => {
    const [listen, admin] = [await freePort(), await freePort()]
    urls.push(`http://127.0.0.1:${listen}`)
    return await startRole(started, folder, {
      name,
      redis,
      command: shape === 'up' ? 'up' : 'serve',
      config: { ...ends, listen, admin },
      readyUrl: `http://127.0.0.1:${admin}/livez`,
    })
  }
  const startWorker = (name: string): Promise<Role> =>
    startRole(started, folder, { name, redis, command: 'worker', config: ends })
  const serving = [await startServing('serve-1')]
  const workers: Role[] = []
  if (shape === 'fleet') {
    serving.push(await startServing('serve-2'))
    for (const number of [1, 2, 3]) workers.push(await startWorker(`worker-${number}`))
  }
  const sick = await started.add(startSickServer())
  const redisAt = redis?.url ?? socketPathOf(join(folder, DATA))
  const lines = { upstreamLine, localLine, redisAt }
  return { ...registries, ...lines, sick, redis, serving, workers, urls, folder }
}

/** The upstream is served twice: to pullsync by tokens, and to whoever pushes there without. */
async function startRegistries(started: Started) {
  const { path: storageFolder } = await started.add(tempFolder('soak-upstream'))
  // Of these a docker-registry makes five seconds more, of which nobody is told.
  const expiry = { expiresInS: 5 - REGISTRY_LEEWAY_S, saidToExpireInS: 300 }
  const { tokenAuth } = await started.add(startTokenService({ ...ACCOUNT, ...expiry }))
  const program = goProgram('distribution3')
  const [publishing, upstream, local] = await Promise.all([
    started.add(startRegistry({ storageFolder })),
    started.add(startRegistry({ storageFolder, tokenAuth })),
    started.add(startRegistry({ program })),
  ])
  const localKeepsUploads = program === undefined
  return {
    publishing,
    upstream,
    local,
    localKeepsUploads,
    tokensAt: new URL(tokenAuth.realm).hostname,
  }
}

interface RoleOptions {
  readonly name: string
  readonly command: string
  readonly redis: TestRedis | undefined
  readonly config: SiteAddresses
  readonly readyUrl?: string
}

async function startRole(started: Started, folder: string, options: RoleOptions): Promise<Role> {
  const { name, command, redis, readyUrl } = options
  const temporary = join(folder, name)
  await mkdir(temporary)
  const disk = await mountSmallDisk(temporary)
  if (disk !== undefined) await started.add(Promise.resolve(disk))
  const redisLine = redis === undefined ? undefined : await started.add(startLine(redis.port))
  const redisUrl = redisLine?.url.replace('http:', 'redis:')
  const start = (file?: string) =>
    started.add(
      startPullsync({
        args: [command, ...(command === 'up' ? ['--data-dir', join(folder, DATA)] : [])],
        config: file === undefined ? siteConfig({ ...options.config, redis: redisUrl }) : { file },
        env: { TMPDIR: temporary },
        within: STARTS_WITHIN_MS,
        ...(readyUrl === undefined ? { readyLine: /process started/ } : { readyUrl }),
      }),
    )
  const processes: PullsyncProcess[] = []
  const next = async (file?: string) => {
    const process = await start(file)
    processes.push(process)
    return process
  }
  const role: Role = {
    ...{ name, redisLine, smallDisk: disk === undefined ? undefined : temporary },
    current: await next(),
    async restart() {
      role.current = await next(role.current.configFile)
    },
    async end() {
      const { code, signal } = await role.current.stop(ENDS_WITHIN_MS)
      if (code !== 0) throw new Error(`it ended with ${signal ?? `code ${code ?? 0}`}`)
    },
    output: () => processes.flatMap((process) => ['', ...process.output()]),
  }
  return role
}

/** Posts an event to one of the serving processes; the status, or 0 when nobody answered. */
export async function post(url: string, source: string, body: unknown): Promise<number> {
  try {
    const response = await fetch(`${url}/v1/events/${source}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    })
    await response.text()
    return response.status
  } catch {
    return 0
  }
}
