import { setTimeout as pause } from 'node:timers/promises'
import { parsePayload } from '../../src/queue/payload.ts'
import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { eventually } from '../../test/support/eventually.ts'
import { freePort } from '../../test/support/network/free-port.ts'
import { type Product, startProduct } from './product.ts'
import type { Scale } from '../scale.ts'
import { quantile } from '../figures/statistics.ts'
import { markdownTable } from '../figures/table.ts'

const HEAD = ['idle pool', 'median ms', 'p99 ms', 'slowest ms']
const SECRET = 'bench-secret-of-the-misses'
/** Long enough that nothing of the miss before is still going on. */
const IDLE_MS = 20

/** From a miss handed to the webhook to its job started in a worker, one after the other. */
export async function benchStart({ misses }: Scale): Promise<string> {
  await using upstream = await startRegistry()
  await using local = await startRegistry()
  const [listen, admin] = [await freePort(), await freePort()]
  await using product = await startProduct(
    { upstream, local },
    { serving: { listen, admin, secret: SECRET } },
  )
  const times: number[] = []
  for (let miss = 0; miss < misses; miss += 1) {
    const postedAt = Date.now()
    await postMiss(`http://127.0.0.1:${listen}/v1/events/miss`, `v${miss}`)
    times.push((await startOf(product, `v${miss}`)) - postedAt)
    await pause(IDLE_MS)
  }
  const cells = [quantile(times, 0.5), quantile(times, 0.99), Math.max(...times)]
  return markdownTable([
    HEAD,
    [`${misses} misses to job started`, ...cells.map((ms) => ms.toFixed(0))],
  ])
}

/** When the job for this tag was started, once it has ended. */
async function startOf({ queues }: Product, tag: string): Promise<number> {
  const { processedOn } = await eventually(
    async () => {
      const [newest] = await queues.of('hq').getJobs(['completed'], 0, 0)
      const request = newest && parsePayload(newest, 'hq')
      return request?.ok === true && request.value.reference === tag && newest
    },
    { describe: `the job for ${tag} to end` },
  )
  return processedOn ?? NaN
}

// Of an image that the upstream does not have: what is measured is the way to the job. Each in a repository
// of its own: many of one would be noise.
async function postMiss(url: string, reference: string): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${SECRET}`, 'content-type': 'application/json' },
    body: JSON.stringify({ repository: `team/nothing-${reference}`, reference }),
  })
  await response.text()
  if (response.status !== 202) throw new Error(`the webhook answered ${response.status}`)
}
