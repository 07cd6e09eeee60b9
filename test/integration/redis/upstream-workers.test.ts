import { Redis } from 'ioredis'
import { afterEach, beforeEach, it } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { Presence } from '../../../src/pool/presence.ts'
import { ReplicationQueues } from '../../../src/queue/queues.ts'
import { UpstreamWorkers } from '../../../workers/upstream-workers.ts'
import { eventually } from '../../support/eventually.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { SILENT } from '../../support/given/silent-listener.ts'
import { configOf, yamlWith } from '../../unit/config/parsed-yaml.ts'

let server: TestRedis
let redis: Redis
const stack: (() => unknown)[] = []

beforeEach(async () => {
  server = await startRedis()
  redis = new Redis(server.url)
})

afterEach(async () => {
  for (const close of stack.splice(0).reverse()) await close()
  redis.disconnect()
  await server[Symbol.asyncDispose]()
})

function serving(...upstreams: readonly string[]): Config {
  const ids = upstreams.map((id) => `  ${id}: { url: 'http://127.0.0.1:1' }`)
  return configOf(yamlWith({ upstreams: ['upstreams:', ...ids].join('\n') }))
}

function open(config: Config): UpstreamWorkers {
  const onError = () => undefined
  const { jobs, misses } = config
  const queues = new ReplicationQueues({
    ...{ url: server.url, upstreams: ['hq', 'late'], jobs, misses, onError },
  })
  const connection = openWorkerConnection(server.url, onError)
  const presence = new Presence(connection, 'one', onError)
  stack.push(
    () => queues[Symbol.asyncDispose](),
    () => {
      connection.disconnect()
    },
    () => presence[Symbol.asyncDispose](),
  )
  return new UpstreamWorkers(config, {
    ...{ queues, connection, presence, listener: SILENT },
    replicate: () => Promise.reject(new Error('nothing is queued')),
    breakers: new Breakers(connection, () => config.outages),
  })
}

/** Connections on which somebody waits for jobs, as BullMQ names them. */
async function waitingForJobs(): Promise<number> {
  const clients = String(await redis.client('LIST')).split('\n')
  return clients.filter((line) => line.includes('cmd=bzpopmin')).length
}

it('starts one worker of an upstream, however many reloads come while Redis is slow, and stops it', async () => {
  const [before, after] = [serving('hq'), serving('hq', 'late')]
  const workers = open(before)
  await workers.configure(before)
  await eventually(async () => (await waitingForJobs()) === 1)

  server.pause()
  const reloads = [workers.configure(after), workers.configure(after), workers.configure(after)]
  server.resume()
  await Promise.all(reloads)

  await eventually(async () => (await waitingForJobs()) >= 2)
  // A second worker of an upstream is known to nobody: no stop would reach it.
  await workers.stop(1_000)
  await eventually(async () => (await waitingForJobs()) === 0)
})

it('serves what the last of many reloads names', async () => {
  const [one, two] = [serving('hq'), serving('hq', 'late')]
  const workers = open(one)

  server.pause()
  const reloads = [workers.configure(two), workers.configure(one)]
  server.resume()
  await Promise.all(reloads)

  await eventually(async () => (await waitingForJobs()) === 1)
  await workers.stop(1_000)
})
