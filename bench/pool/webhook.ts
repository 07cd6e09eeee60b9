import { openQueues } from '../../src/cli/redis/open-queues.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { freePort } from '../../test/support/free-port.ts'
import { startPullsync } from '../../test/support/pullsync-process.ts'
import { startRedis } from '../../test/support/redis.ts'
import { type Delivered, deliver } from './deliveries.ts'
import { productConfig } from './product-config.ts'
import type { Scale } from '../scale.ts'
import { quantile } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'
import { cpuMsOf } from '../figures/usage.ts'

const SECRET = 'bench-secret-of-the-webhook'
const SENDERS = 64
// Nobody is there: no worker runs, and the webhook asks no registry.
const NOBODY = { url: 'http://127.0.0.1:9' }
const HEAD = ['deliveries', 'events/s', 'median ms', 'p99 ms', 'slowest ms', 'CPU µs each', 'jobs']

/** One event each: `pullsync serve` alone, Redis with its append-only file, and the senders. */
export async function benchWebhook({ deliveries: count }: Scale): Promise<string> {
  await using redis = await startRedis()
  const [listen, admin] = [await freePort(), await freePort()]
  const config = productConfig(
    { upstream: NOBODY, local: NOBODY },
    { redisUrl: redis.url, serving: { listen, admin, secret: SECRET } },
  )
  await using serving = await startPullsync({
    args: ['serve'],
    config,
    readyLine: /process started/,
  })
  await using queues = await openQueues(await loadConfig(serving.configFile, {}), '')
  const url = `http://127.0.0.1:${listen}/v1/events/miss`
  const rows: string[][] = []
  for (const [name, image] of CASES) {
    const jobsBefore = await queues.of('hq').count()
    const cpuBefore = cpuMsOf(serving.child.pid) ?? 0
    const body = (index: number) => JSON.stringify(image(index))
    const delivered = await deliver({ url, secret: SECRET, count, senders: SENDERS, body })
    const cpuMs = (cpuMsOf(serving.child.pid) ?? NaN) - cpuBefore
    const jobs = (await queues.of('hq').count()) - jobsBefore
    rows.push(rowOf(`${count} ${name}`, delivered, { cpuUs: (cpuMs * 1_000) / count, jobs }))
  }
  return markdownTable([HEAD, ...rows])
}

interface Image {
  readonly repository: string
  readonly reference: string
}

const CASES: readonly (readonly [string, (index: number) => Image])[] = [
  ['of no project', (index) => ({ repository: 'other/app', reference: `v${index}` })],
  ['the same miss', () => ({ repository: 'team/same', reference: 'latest' })],
  ['different misses', (index) => ({ repository: 'team/app', reference: `v${index}` })],
]

function rowOf(
  name: string,
  { perSecond, answeredMs }: Delivered,
  { cpuUs, jobs }: { readonly cpuUs: number; readonly jobs: number },
): string[] {
  const times = [quantile(answeredMs, 0.5), quantile(answeredMs, 0.99), maximum(answeredMs)]
  return [
    name,
    perSecond.toFixed(0),
    ...times.map((ms) => ms.toFixed(1)),
    cpuUs.toFixed(0),
    `${jobs}`,
  ]
}

// Too many for the arguments of Math.max.
function maximum(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0)
}
