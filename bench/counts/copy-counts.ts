import { randomUUID } from 'node:crypto'
import type { AccessLogLine } from '../../test/support/registry/access-log.ts'
import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { eventually } from '../../test/support/eventually.ts'
import { startProduct } from '../pool/product.ts'
import type { PublishedImage } from '../content/publish.ts'
import { type CommandCounts, watchCommands } from './redis-commands.ts'

/** What copying some images took, beside their bytes. */
export interface CopyCounts {
  /** As `GET blob`, with how many there were of each. */
  readonly upstream: ReadonlyMap<string, number>
  readonly local: ReadonlyMap<string, number>
  readonly redis: CommandCounts
}

/** Lets one worker copy these, all of one repository, into a registry that is empty before, and counts. */
export async function countCopies(
  upstream: TestRegistry,
  images: readonly PublishedImage[],
): Promise<CopyCounts> {
  await using local = await startRegistry()
  await using product = await startProduct({ upstream, local })
  const [asked, stop] = [upstream.accessLog().length, await watchCommands(product.queues.redis)]
  const repository = images[0]?.repository ?? ''
  await product.copy({ repository, tags: images.map(({ tag }) => tag), referrers: true })
  const redis = await stop()
  const requests = (await wholeLog(upstream)).slice(asked)
  return { upstream: kindsOf(requests), local: kindsOf(await wholeLog(local)), redis }
}

/** A line is written after its answer: those before are there when that of one more request is. */
export async function wholeLog(registry: TestRegistry): Promise<readonly AccessLogLine[]> {
  const userAgent = randomUUID()
  await fetch(`${registry.url}/v2/`, { headers: { 'user-agent': userAgent } })
  await eventually(() => registry.accessLog().some((line) => line.userAgent === userAgent), {
    describe: 'the registry to have written its log',
  })
  return registry.accessLog()
}

export function totalOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

function kindsOf(requests: readonly AccessLogLine[]): ReadonlyMap<string, number> {
  const kinds = new Map<string, number>()
  for (const request of requests.filter(({ userAgent }) => userAgent.startsWith('pullsync'))) {
    const kind = `${request.method} ${whatOf(request.path)}`
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  return kinds
}

function whatOf(path: string): string {
  const [, what = 'base'] = /\/(blobs\/uploads|blobs|manifests|referrers|tags)\//.exec(path) ?? []
  const ofDigest = /manifests\/sha256-[^.]*(\.\w+)?$/.exec(path)
  if (ofDigest !== null) return `manifest ${ofDigest[1] ?? 'fallback tag'}`
  return what.replace('blobs/uploads', 'upload')
}
