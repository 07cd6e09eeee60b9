import type { Progress } from '../../src/replication/progress.ts'
import type { RegistryOptions } from '../support/registry/registry-config.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/network/free-port.ts'
import { buildImage, type BuiltImage, type ImageOptions } from '../support/images/image.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { type Line, startLine } from '../support/network/line.ts'
import { type PullsyncProcess, startPullsync } from '../support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../support/redis/redis.ts'

export const SECRET = 'edge-secret-of-the-tests'

export interface SiteOptions {
  readonly upstream?: RegistryOptions
  /** Puts a line between pullsync and the upstream that can be held up. */
  readonly throughLine?: boolean
  /** Puts another between `serve` and Redis. */
  readonly redisThroughLine?: boolean
  readonly local?: RegistryOptions
  /** Workers as processes of their own, beside one `pullsync serve`; 1 unless told. */
  readonly workers?: number
  /** One process, `pullsync up`, instead of all these. */
  readonly together?: boolean
  /** Lines of the upstream's part of the configuration, indented by four. */
  readonly upstreamConfig?: string
  readonly jobs?: string
  /** The `redis` part of the configuration, in place of the site's own Redis. */
  readonly redisConfig?: string
  /** Lines of the project's part, indented by four. */
  readonly project?: string
  /** Added to the workers' environment. */
  readonly workerEnv?: Readonly<Record<string, string>>
  /** The same for `serve` or `up`. */
  readonly serveEnv?: Readonly<Record<string, string>>
  /** Lines of the local registry's part, indented by two. */
  readonly localConfig?: string
}

/** An edge site: a local registry, an upstream, Redis, `pullsync serve` and workers, all real. */
export interface Site extends AsyncDisposable {
  readonly upstream: TestRegistry
  /** Between pullsync and the upstream, when that was asked for. */
  readonly line: Line
  readonly redisLine: Line
  readonly local: TestRegistry
  readonly redis: TestRedis
  readonly serve: PullsyncProcess
  readonly workers: readonly PullsyncProcess[]
  readonly events: string
  /** The gateway, as it stands in image names: `127.0.0.1:port`. */
  readonly gateway: string
  readonly admin: string
  readonly startWorker: () => Promise<PullsyncProcess>
  /** Builds an image and pushes it upstream. */
  readonly publish: (name: string, options?: ImageOptions) => Promise<BuiltImage>
  /** Posts to `/v1/events/:source` with the secret. */
  readonly post: (source: string, body: unknown) => Promise<Answer>
  readonly miss: (repository: string, reference: string) => Promise<Answer>
  readonly jobs: (...args: string[]) => Promise<readonly JobJson[]>
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** What of `pullsync jobs list --json` the tests look at. */
export interface JobJson {
  readonly id: string
  readonly state: string
  readonly image: string
  readonly attemptsMade: number
  readonly outcome?: { readonly kind: string; readonly reason?: string }
  readonly failedReason?: string
  readonly progress?: Progress
  readonly request: { readonly trigger: string }
}

export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const parts = new AsyncDisposableList()
  try {
    return await startParts(parts, options)
  } catch (error) {
    await parts[Symbol.asyncDispose]()
    throw error
  }
}

async function startParts(parts: AsyncDisposableList, options: SiteOptions): Promise<Site> {
  const [listen, admin] = [await freePort(), await freePort()]
  const events = `http://127.0.0.1:${listen}/v1/events`
  const notify = (source: string) => [
    {
      name: 'pullsync',
      url: `${events}/${source}`,
      headers: { Authorization: `Bearer ${SECRET}` },
    },
  ]
  const [redis, upstream, local] = await Promise.all([
    parts.add(startRedis()),
    parts.add(startRegistry({ notifications: notify('hq-push'), ...options.upstream })),
    parts.add(startRegistry({ notifications: notify('edge'), ...options.local })),
  ])
  const line = await parts.add(startLine(upstream.port))
  const redisLine = await parts.add(startLine(redis.port))
  const config = configuration({ listen, admin, redis, redisLine, upstream, line, local }, options)
  const { together = false } = options
  const args = [together ? 'up' : 'serve']
  const serve = await parts.add(
    startPullsync({
      ...{ args, config, readyUrl: `http://127.0.0.1:${admin}/readyz` },
      env: options.serveEnv ?? {},
    }),
  )
  const environment = options.workerEnv === undefined ? {} : { env: options.workerEnv }
  const startWorker = () =>
    parts.add(
      startPullsync({ args: ['worker'], config, readyLine: /process started/, ...environment }),
    )
  const workers = await Promise.all(
    Array.from({ length: together ? 0 : (options.workers ?? 1) }, startWorker),
  )
  const post = (source: string, body: unknown) => postTo(`${events}/${source}`, body)
  return {
    upstream,
    line,
    redisLine,
    local,
    redis,
    serve,
    workers,
    events,
    gateway: `127.0.0.1:${listen}`,
    admin: `http://127.0.0.1:${admin}`,
    startWorker,
    post,
    miss: (repository, reference) => post('miss', { repository, reference }),
    async publish(name, image) {
      const built = await parts.add(buildImage(image))
      const [repository = '', tag = ''] = name.split(':')
      await pushOverHttp(built, { url: upstream.url, repository, tag })
      return built
    },
    async jobs(...args) {
      const { stdout, stderr, code } = await serve.run(['jobs', 'list', '--json', ...args])
      if (code !== 0) throw new Error(stderr)
      return JSON.parse(stdout) as JobJson[]
    },
    [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
  }
}

interface Addresses extends Pick<Site, 'redis' | 'redisLine' | 'upstream' | 'line' | 'local'> {
  readonly listen: number
  readonly admin: number
}

function configuration(
  { listen, admin, redis, redisLine, upstream, line, local }: Addresses,
  {
    upstreamConfig = '',
    throughLine = false,
    redisThroughLine = false,
    jobs = 'jobs: { attempts: 3, backoff: 100ms }',
    project = '',
    localConfig = '',
    redisConfig,
  }: SiteOptions,
): string {
  return `
redis: ${redisConfig ?? `{ url: ${redisThroughLine ? redisLine.url.replace('http:', 'redis:') : redis.url} }`}
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local:
  url: ${local.url}
${localConfig}
upstreams:
  hq:
    url: ${throughLine ? line.url : upstream.url}
${upstreamConfig}
projects:
  - name: team
    upstream: hq
${project}
sources:
  edge: { format: distribution, registry: local, secret: ${SECRET} }
  hq-push: { format: distribution, registry: hq, secret: ${SECRET} }
  miss: { format: pull-miss, registry: local, secret: ${SECRET} }
${jobs}
`
}

export async function postTo(
  url: string,
  body: unknown,
  headers: Record<string, string> = { authorization: `Bearer ${SECRET}` },
): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(url, { method: 'POST', headers, body: text })
  const answer = await response.text()
  return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) }
}

/** The digest of what a tag names, or undefined when the registry does not have it. */
export async function digestAt(registry: TestRegistry, name: string): Promise<string | undefined> {
  const [repository, reference] = name.split(/[:@](.*)/s)
  const response = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
    method: 'HEAD',
    headers: {
      accept:
        'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json',
    },
  })
  return response.ok ? (response.headers.get('docker-content-digest') ?? undefined) : undefined
}

/** Resolves when the local registry names this image by the tag. */
export async function arrives(site: Site, name: string, image: BuiltImage, within?: number) {
  await eventually(async () => (await digestAt(site.local, name)) === image.top.digest, {
    ...(within === undefined ? {} : { within }),
    describe: `${name} to be ${image.top.digest} in the local registry`,
  })
}

class AsyncDisposableList implements AsyncDisposable {
  readonly #all: AsyncDisposable[] = []

  async add<T extends AsyncDisposable>(starting: Promise<T>): Promise<T> {
    const started = await starting
    this.#all.push(started)
    return started
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#all.splice(0).reverse()) await one[Symbol.asyncDispose]()
  }
}
