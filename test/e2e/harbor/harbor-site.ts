import { Stack } from '../../../src/lifecycle/stack.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account, Right } from '../../support/harbor/state.ts'
import { buildImage, type BuiltImage, type ImageOptions } from '../../support/images/image.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { type JobJson, postTo, SECRET } from '../site.ts'

export interface HarborSiteOptions {
  /** The local registry is a Harbor, too; CNCF distribution unless told. */
  readonly localHarbor?: boolean
  /** Lines of the project's part of the configuration, indented by four. */
  readonly project?: string
  /** In the words of which registry pullsync expects upstream's events; with `zot`, Harbor sends none. */
  readonly events?: 'harbor' | 'zot'
  /** Of pullsync's account upstream; all that it can need unless told. */
  readonly rights?: readonly Right[]
}

/** `pullsync up` that fills a local registry from a Harbor, whose project `team` tells it of every push and deletion. */
export interface HarborSite extends AsyncDisposable {
  readonly upstream: TestHarbor
  /** Where the local registry is CNCF distribution. */
  readonly registry: TestRegistry | undefined
  /** Where it is a Harbor. */
  readonly localHarbor: TestHarbor | undefined
  readonly local: Side
  readonly hq: Side
  readonly pullsync: PullsyncProcess
  readonly redis: TestRedis
  readonly gateway: string
  readonly admin: string
  publish(name: string, options?: ImageOptions): Promise<BuiltImage>
  sync(name: string): Promise<number>
  miss(repository: string, reference: string): Promise<unknown>
  jobs(...args: string[]): Promise<readonly JobJson[]>
  atRest(): Promise<void>
  /** What pullsync asked upstream, as `GET /v2/…`, from the position on. */
  asked(path: RegExp, from?: number): readonly string[]
  /** Starts pullsync again after `pullsync.stop()`. */
  restart(): Promise<PullsyncProcess>
}

/** A registry as `pushOverHttp` and the like want it. */
export interface Side {
  readonly url: string
  /** `user:password` of one who may do everything; absent where nobody asks. */
  readonly credentials?: string
}

export async function startHarborSite(options: HarborSiteOptions = {}): Promise<HarborSite> {
  const parts = new Stack()
  try {
    return await startParts(parts, options)
  } catch (error) {
    await parts[Symbol.asyncDispose]()
    throw error
  }
}

async function startParts(parts: Stack, options: HarborSiteOptions): Promise<HarborSite> {
  const [listen, admin] = [await freePort(), await freePort()]
  const upstream = parts.use(await startHarbor())
  const redis = parts.use(await startRedis())
  const robot = teamOf(upstream, options.rights)
  const registry = options.localHarbor === true ? undefined : parts.use(await startRegistry())
  const localHarbor = options.localHarbor === true ? parts.use(await startHarbor()) : undefined
  const writer = localHarbor && teamOf(localHarbor)
  const local: Side = localHarbor
    ? { url: localHarbor.url, credentials: loginOf(localHarbor.admin) }
    : { url: registry?.url ?? '' }
  const events = `http://127.0.0.1:${listen}/v1/events`
  if (options.events !== 'zot') tellOf(upstream, `${events}/hq-push`)
  const parties = {
    upstream: { url: upstream.url, account: robot },
    local: { url: local.url, account: writer },
  }
  const config = configuration({ listen, admin, redis: redis.url, ...parties }, options)
  const start = async () =>
    await startPullsync({ args: ['up'], config, readyUrl: `http://127.0.0.1:${admin}/readyz` })
  let pullsync = await start()
  parts.defer(async () => {
    await pullsync[Symbol.asyncDispose]()
  })
  const hq = { url: upstream.url, credentials: loginOf(upstream.admin) }
  const jobs = async (...args: string[]) => {
    const { stdout, stderr, code } = await pullsync.run(['jobs', 'list', '--json', ...args])
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout) as JobJson[]
  }
  return {
    ...{ upstream, redis, registry, localHarbor, local, hq, jobs },
    get pullsync() {
      return pullsync
    },
    gateway: `127.0.0.1:${listen}`,
    admin: `http://127.0.0.1:${admin}`,
    async publish(name, image) {
      const built = parts.use(await buildImage(image))
      const [repository = '', tag = ''] = name.split(':')
      await pushOverHttp(built, { ...hq, repository, tag })
      return built
    },
    sync: async (name) => (await pullsync.run(['sync', name, '--wait'])).code,
    miss: (repository, reference) => postTo(`${events}/miss`, { repository, reference }),
    async atRest() {
      await eventually(async () =>
        (await jobs()).every(({ state }) => state === 'completed' || state === 'failed'),
      )
    },
    asked: (path, from = 0) =>
      upstream.requests
        .slice(from)
        .filter(({ headers }) => headers['user-agent']?.startsWith('pullsync/'))
        .map((request) => `${request.method} ${request.path}`)
        .filter((request) => path.test(request)),
    async restart() {
      pullsync = await start()
      return pullsync
    },
    [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose](),
  }
}

/** The project `team`, and a robot that may do there what pullsync needs. */
function teamOf(harbor: TestHarbor, rights: readonly Right[] = ALL_RIGHTS): Account {
  harbor.addProject('team')
  return harbor.addRobot('pullsync', rights, 'team')
}

const ALL_RIGHTS = ['pull', 'push', 'delete', 'tag-delete', 'artifact-list'] as const

function tellOf(harbor: TestHarbor, address: string): void {
  harbor.state.projects.get('team')?.policies.push({
    id: harbor.state.nextId(),
    name: 'pullsync',
    enabled: true,
    event_types: ['PUSH_ARTIFACT', 'DELETE_ARTIFACT'],
    targets: [
      { type: 'http', address, auth_header: `Bearer ${SECRET}`, payload_format: 'Default' },
    ],
  })
}

interface Party {
  readonly url: string
  readonly account: Account | undefined
}

interface Parties {
  readonly listen: number
  readonly admin: number
  readonly redis: string
  readonly upstream: Party
  readonly local: Party
}

function configuration(
  { listen, admin, redis, upstream, local }: Parties,
  { project = '', events = 'harbor' }: HarborSiteOptions,
): string {
  return `
redis: { url: ${redis} }
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local:
  url: ${local.url}
${login(local, '  ')}
upstreams:
  hq:
    url: ${upstream.url}
${login(upstream, '    ')}
projects:
  - name: team
    upstream: hq
${project}
sources:
  hq-push: { format: ${events}, registry: hq, secret: ${SECRET} }
  miss: { format: pull-miss, registry: local, secret: ${SECRET} }
jobs: { attempts: 3, backoff: 100ms }
`
}

function login({ account }: Party, indent: string): string {
  if (account === undefined) return ''
  return `${indent}username: '${account.name}'\n${indent}password: ${account.password}`
}

function loginOf({ name, password }: Account): string {
  return `${name}:${password}`
}
