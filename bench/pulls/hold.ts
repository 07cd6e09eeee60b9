import { Agent, get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePort } from '../../test/support/network/free-port.ts'
import { startPullsync } from '../../test/support/process/pullsync-process.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { Publisher } from '../content/publish.ts'
import type { Scale } from '../scale.ts'
import { quantile } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'
import { peakMibOf } from '../figures/usage.ts'

const HEAD = [
  ...['held clients', 'upstreams', 'Redis commands/s', 'median ms', 'p99 ms', 'slowest ms'],
  'gateway MiB',
]
const UPSTREAMS = 10
const BETWEEN_MS = 10
/** Each looks a second time half a second after it has come, and is told of everything after that. */
const SETTLED_MS = 2_000

/** Clients of one gateway that wait for jobs of many upstreams; what that costs Redis, and a client that wants nothing of it. */
export async function benchHold({ held, watchedMs }: Scale): Promise<string> {
  await using redis = await startRedis()
  await using local = await startRegistry()
  await using upstream = await startRegistry()
  await publishAll(new Publisher(upstream.url), held)
  const [listen, admin] = [await freePort(), await freePort()]
  const config = configOf({
    redisUrl: redis.url,
    localUrl: local.url,
    upstreamUrl: upstream.url,
    listen,
    admin,
  })
  await using serving = await startPullsync({
    args: ['serve'],
    config,
    readyLine: /process started/,
  })
  const gateway = `http://127.0.0.1:${listen}`
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity })
  const watching = new Redis(redis.url)
  const row = async (name: string) => {
    await pause(SETTLED_MS)
    const { perSecond, times } = await measured(watching, gateway, watchedMs)
    const cells = [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)]
    const memory = peakMibOf(serving.child.pid) ?? NaN
    return [
      ...[name, `${UPSTREAMS}`, perSecond.toFixed(0)],
      ...cells.map((ms) => ms.toFixed(1)),
      memory.toFixed(0),
    ]
  }
  const alone = await row('0')
  for (let client = 0; client < held; client += 1) hold(gateway, client, agent)
  await eventually(async () => (await jobsIn(watching)) === held, { within: 180_000 })
  const beside = await row(`${held}`)
  agent.destroy()
  watching.disconnect()
  return markdownTable([HEAD, alone, beside])
}

/** Nobody waits for what upstream does not have. */
async function publishAll(publisher: Publisher, held: number): Promise<void> {
  for (let client = 0; client < held; client += 1) {
    const { repository, tag } = imageOf(client)
    await publisher.publish(repository, tag, [])
  }
}

function imageOf(client: number) {
  return { repository: `p${client % UPSTREAMS}/app`, tag: `v${client}` }
}

function hold(gateway: string, client: number, agent: Agent): void {
  const { repository, tag } = imageOf(client)
  const path = `/v2/${repository}/manifests/${tag}`
  get(`${gateway}${path}`, { agent, headers: { accept: OCI_MANIFEST } }).on(
    'error',
    () => undefined,
  )
}

/** While they wait: Redis' commands, and how long a client takes that asks for nothing. */
async function measured(redis: Redis, gateway: string, forMs: number) {
  const agent = new Agent({ keepAlive: true })
  const before = await commandsOf(redis)
  const startedAt = performance.now()
  const times: number[] = []
  while (performance.now() - startedAt < forMs) {
    const askedAt = performance.now()
    const [answer] = (await once(get(`${gateway}/v2/`, { agent }), 'response')) as [IncomingMessage]
    await once(answer.resume(), 'end')
    times.push(performance.now() - askedAt)
    await pause(BETWEEN_MS)
  }
  const seconds = (performance.now() - startedAt) / 1_000
  agent.destroy()
  return { times, perSecond: ((await commandsOf(redis)) - before) / seconds }
}

async function commandsOf(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  return [...stats.matchAll(/^cmdstat_[^:]+:calls=(\d+)/gm)].reduce(
    (sum, [, calls]) => sum + Number(calls),
    0,
  )
}

/** No worker takes them. */
async function jobsIn(redis: Redis): Promise<number> {
  const counts = Array.from({ length: UPSTREAMS }, (_, at) =>
    redis.zcard(`pullsync:hq${at}:prioritized`),
  )
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

interface Places {
  readonly redisUrl: string
  readonly localUrl: string
  readonly upstreamUrl: string
  readonly listen: number
  readonly admin: number
}

function configOf({ redisUrl, localUrl, upstreamUrl, listen, admin }: Places): string {
  const each = (line: (at: number) => string) =>
    Array.from({ length: UPSTREAMS }, (_, at) => line(at)).join('\n')
  return `
redis: { url: ${redisUrl} }
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${localUrl} }
upstreams:
${each((at) => `  hq${at}: { url: ${upstreamUrl} }`)}
projects:
${each((at) => `  - { name: p${at}, upstream: hq${at}, onMiss: hold, holdFor: 5m }`)}
`
}
