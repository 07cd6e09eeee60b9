import { createServer, request, type Server } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { startRegistry } from '../../test/support/registry/docker-registry.ts'
import { type Product, startProduct } from './product.ts'
import { Publisher } from '../content/publish.ts'
import type { Scale } from '../scale.ts'
import { markdownTable } from '../figures/table.ts'

const HEAD = [
  'waiting jobs',
  'outage s',
  'requests to the sick upstream',
  'failed jobs',
  's until all are here',
]
const REPOSITORY = 'team/app'
const LOOK_MS = 500

/** An upstream that answers 503 to everything for a while, when many jobs wait for it. */
export async function benchOutage({ outage: { jobs, ms } }: Scale): Promise<string> {
  await using registry = await startRegistry()
  await using local = await startRegistry()
  await new Publisher(registry.url).publish(REPOSITORY, 'latest', [{ seed: 'outage', bytes: 4096 }])
  await using upstream = await startSickUpstream(registry.url)
  await using product = await startProduct({ upstream, local }, { workers: 2 })
  const tags = Array.from({ length: jobs }, (_, at) => `v${at}`)
  for (let at = 0; at < jobs; at += BATCH) {
    await product.enqueue({ repository: REPOSITORY, tags: tags.slice(at, at + BATCH) })
  }
  await pause(ms)
  const { requests } = upstream
  upstream.recover()
  const wellAt = performance.now()
  const failed = await allThere(product, local.url, jobs)
  const seconds = ((performance.now() - wellAt) / 1_000).toFixed(0)
  return markdownTable([HEAD, [`${jobs}`, `${ms / 1_000}`, `${requests}`, `${failed}`, seconds]])
}

const BATCH = 200

interface SickUpstream extends AsyncDisposable {
  readonly url: string
  /** That it did not serve. */
  readonly requests: number
  recover(): void
}

/** It has every tag of the repository: all are the one that the registry has. */
async function startSickUpstream(registry: string): Promise<SickUpstream> {
  let [sick, requests] = [true, 0]
  const server = createServer((asked, answer) => {
    if (sick) {
      requests += 1
      answer.writeHead(503).end()
      return
    }
    const path = (asked.url ?? '').replace(/\/manifests\/v\d+$/, '/manifests/latest')
    const { method, headers } = asked
    const forwarded = request(new URL(path, registry), { method, headers }, (got) => {
      answer.writeHead(got.statusCode ?? 502, got.rawHeaders)
      got.pipe(answer)
    })
    asked.pipe(forwarded.on('error', () => answer.destroy()))
  })
  const port = await listening(server)
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests
    },
    recover: () => (sick = false),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Resolves with how many jobs failed for good, once each of the others has brought its tag. */
async function allThere(product: Product, local: string, jobs: number): Promise<number> {
  for (;;) {
    const queue = product.queues.of('hq')
    const {
      waiting = 0,
      active = 0,
      delayed = 0,
      prioritized = 0,
      failed = 0,
    } = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized', 'failed')
    if (waiting + active + delayed + prioritized === 0) {
      const here = await tagsOf(local)
      if (here + failed >= jobs) return failed
      throw new Error(`no job is left, and ${here} of ${jobs} tags are here`)
    }
    await pause(LOOK_MS)
  }
}

async function tagsOf(local: string): Promise<number> {
  const answer = await fetch(`${local}/v2/${REPOSITORY}/tags/list`)
  const { tags } = (await answer.json()) as { readonly tags: readonly string[] }
  return tags.length
}
