import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { eventually } from '../../test/support/eventually.ts'
import { findJob } from '../../src/queue/records/job-records.ts'
import { type Product, startProduct } from './product.ts'
import type { PullsyncProcess } from '../../test/support/process/pullsync-process.ts'
import { cpuMsOf } from '../figures/usage.ts'
import type { Slowness } from '../pulls/slow-way.ts'
import { startWay } from '../pulls/way.ts'
import { layersOf, type PublishedImage, Publisher } from '../content/publish.ts'
import type { Scale } from '../scale.ts'
import { markdownTable } from '../figures/table.ts'
import { verifyCopies } from '../copies/verify.ts'

const HEAD = [
  'worker killed at half',
  'upstream',
  'MiB',
  'sent again, MiB',
  'share',
  's until done',
]
/** The dead worker's lock and leases have to lapse first. */
const TAKEN_OVER_WITHIN_MS = 120_000

const WAYS: readonly { readonly name: string; readonly slowness: Slowness }[] = [
  { name: '20 MB/s', slowness: { bytesPerSecond: 20_000_000 } },
  { name: '1 Gbit/s', slowness: { bytesPerSecond: 110_000_000 } },
  { name: 'same machine', slowness: {} },
]

/** Bytes that the upstream sent more than once because a worker was killed at half of an image. */
export async function benchKill({ killedImages }: Scale): Promise<string> {
  const rows: string[][] = []
  for (const way of WAYS) {
    for (const { layers, layerBytes } of killedImages) {
      rows.push(await rowFor(way, layers, layerBytes))
    }
  }
  return markdownTable([HEAD, ...rows])
}

async function rowFor(
  { name, slowness }: (typeof WAYS)[number],
  layers: number,
  layerBytes: number,
): Promise<string[]> {
  await using upstream = await startRegistry()
  await using local = await startRegistry()
  const publisher = new Publisher(upstream.url)
  const image = await publisher.publish('team/killed', '1', layersOf('killed', layers, layerBytes))
  await using way = await startWay(upstream.url, slowness)
  await using product = await startProduct({ upstream: way, local }, { workers: 2 })
  const startedAt = performance.now()
  await copyWithOneDeath(product, image)
  const ms = performance.now() - startedAt
  await verifyCopies(local.url, [image])
  const extra = (await sentBytes(upstream)) - image.bytes
  return [
    `${layers} × ${mib(layerBytes)} MiB`,
    name,
    mib(image.bytes),
    mib(extra),
    `${((100 * extra) / image.bytes).toFixed(1)} %`,
    (ms / 1_000).toFixed(1),
  ]
}

async function copyWithOneDeath(product: Product, image: PublishedImage): Promise<void> {
  const { repository, tag } = image
  const [job = ''] = await product.enqueue({ repository, tags: [tag] })
  await eventually(
    async () => {
      const found = await findJob(product.queues, job)
      return (found?.record.progress?.bytes ?? 0) >= image.bytes / 2
    },
    { within: TAKEN_OVER_WITHIN_MS, describe: 'half of the image' },
  )
  await busiest(product).kill9()
  await product.ended([job], TAKEN_OVER_WITHIN_MS)
}

/** The one that has worked most: the job is its. */
function busiest({ workers }: Product): PullsyncProcess {
  const [first, ...rest] = workers
  if (first === undefined) throw new Error('no worker runs')
  return rest.reduce((most, next) => (cpuOf(next) > cpuOf(most) ? next : most), first)
}

function cpuOf({ child }: PullsyncProcess): number {
  return cpuMsOf(child.pid) ?? 0
}

/** What the upstream sent of blobs, also to connections that were cut. */
async function sentBytes(upstream: TestRegistry): Promise<number> {
  // Only then are all lines of its log here.
  await upstream.stop()
  const sent = upstream.requests({ method: 'GET', path: /\/blobs\/sha256:/ })
  return sent.reduce((sum, { bytes }) => sum + bytes, 0)
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(0)
}
