import { openQueues } from '../../src/cli/redis/open-queues.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { freePort } from '../../test/support/network/free-port.ts'
import { startPullsync } from '../../test/support/process/pullsync-process.ts'
import { startRedis } from '../../test/support/redis/redis.ts'
import { Started } from '../../test/support/process/started.ts'
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

/** One event each: one `pullsync serve`, then two, Redis with its append-only file, and the senders. */
export async function benchWebhook(scale: Scale): Promise<string> {
  const byOne = await rowsOf(scale, 1, CASES)
  const byTwo = await rowsOf(scale, 2, CASES.slice(-1))
  return markdownTable([HEAD, ...byOne, ...byTwo])
}

async function rowsOf(
  { deliveries: count }: Scale,
  servings: number,
  cases: typeof CASES,
): Promise<string[][]> {
  await using started = new Started()
  const redis = await started.add(startRedis())
  const first = await startServing(redis.url, started)
  const sites = [first]
  while (sites.length < servings) sites.push(await startServing(redis.url, started))
  const queues = await started.add(openQueues(await loadConfig(first.serving.configFile, {}), ''))
  const cpuMs = () => sites.reduce((sum, site) => sum + (cpuMsOf(site.serving.child.pid) ?? NaN), 0)
  const rows: string[][] = []
  for (const [name, image] of cases) {
    const jobsBefore = await queues.of('hq').count()
    const cpuBefore = cpuMs()
    const body = (index: number) => JSON.stringify(image(index))
    const urls = sites.map(({ url }) => url)
    const delivered = await deliver({ urls, secret: SECRET, count, senders: SENDERS, body })
    const cpuUs = ((cpuMs() - cpuBefore) * 1_000) / count
    const jobs = (await queues.of('hq').count()) - jobsBefore
    const to = servings === 1 ? '' : `, to ${servings} \`serve\``
    rows.push(rowOf(`${count} ${name}${to}`, delivered, { cpuUs, jobs }))
  }
  return rows
}

async function startServing(redisUrl: string, started: Started) {
  const [listen, admin] = [await freePort(), await freePort()]
  const config = productConfig(
    { upstream: NOBODY, local: NOBODY },
    { redisUrl, serving: { listen, admin, secret: SECRET } },
  )
  const serving = await started.add(
    startPullsync({ args: ['serve'], config, readyLine: /process started/ }),
  )
  return { serving, url: `http://127.0.0.1:${listen}/v1/events/miss` }
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
