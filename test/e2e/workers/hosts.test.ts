import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { startRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import { buildImage, type BuiltBlob, type BuiltImage } from '../../support/images/image.ts'
import { type NetworkHost, startNetwork, whyNoNetwork } from '../../support/network/network.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { startPullsync } from '../../support/process/pullsync-process.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { digestAt } from '../site.ts'

const noNetwork = await whyNoNetwork()

/** 512 is what docs/performance.md tells of; in between, what a test run has time for. */
const IMAGE_MIB = Number(process.env['PULLSYNC_HERD_MIB'] ?? 48)
const LAYERS = 4
const CLIENTS = 64
const LEAVING = 20

describe.skipIf(noNetwork !== undefined)('two gateways and three workers, each a host', () => {
  it(
    'serve a herd with one fetch, and those that leave change nothing',
    async () => {
      await using network = await startNetwork(5)
      const { address, hosts } = network
      await using redis = await startRedis({ address })
      await using upstream = await startRegistry({ address })
      await using local = await startRegistry({ address })
      await using started = new AsyncDisposableStackOf()
      const config = configuration({ redis: redis.url, upstream: upstream.url, local: local.url })
      const gateways = hosts.slice(0, 2).map((host) => `http://${host.address}:8080`)
      await Promise.all(
        hosts.map(async (host, number) => {
          started.add(await (number < 2 ? startGateway(host, config) : startWorker(host, config)))
        }),
      )
      await using image = await buildImage({
        index: false,
        layers: LAYERS,
        layerBytes: (IMAGE_MIB / LAYERS) * 1024 * 1024,
      })
      await pushOverHttp(image, { url: upstream.url, repository: 'team/app', tag: '1.0' })

      const pulls = await Promise.all(
        Array.from({ length: CLIENTS }, (_, number) =>
          pull(gateways[number % 2] ?? '', image, number < LEAVING),
        ),
      )

      expect(pulls.filter((pulled) => pulled === 'left')).toHaveLength(LEAVING)
      expect(pulls.filter((pulled) => pulled === 'whole')).toHaveLength(CLIENTS - LEAVING)
      await eventually(async () => (await digestAt(local, 'team/app:1.0')) === image.top.digest, {
        describe: 'the copy to complete',
      })
      for (const { digest } of image.blobs) {
        const path = new RegExp(`/blobs/${digest}$`)
        expect(await loggedRequests(upstream, { method: 'GET', path })).toHaveLength(1)
      }
    },
    IMAGE_MIB * 2_000 + 60_000,
  )
})

class AsyncDisposableStackOf implements AsyncDisposable {
  readonly #all: AsyncDisposable[] = []

  add(one: AsyncDisposable): void {
    this.#all.push(one)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((one) => one[Symbol.asyncDispose]()))
  }
}

async function startGateway({ address, through }: NetworkHost, config: string) {
  return await startPullsync({
    ...{ args: ['serve'], config, through },
    readyLine: /process started/,
    readyUrl: `http://${address}:8080/v2/`,
  })
}

async function startWorker({ through }: NetworkHost, config: string) {
  return await startPullsync({ args: ['worker'], config, through, readyLine: /process started/ })
}

function configuration(urls: {
  readonly redis: string
  readonly upstream: string
  readonly local: string
}): string {
  return `
redis: { url: ${urls.redis} }
listen: 0.0.0.0:8080
local: { url: ${urls.local}, insecure: true }
upstreams:
  hq: { url: ${urls.upstream}, insecure: true }
projects:
  - { name: team, upstream: hq, onMiss: stream, holdFor: 60s }
`
}

/** The manifest, then the blobs one after the other, each verified; or away in the middle of one. */
async function pull(gateway: string, image: BuiltImage, leaves: boolean): Promise<string> {
  const repository = `${gateway}/v2/team/app`
  const manifest = await open(`${repository}/manifests/1.0`)
  const hash = createHash('sha256')
  for await (const piece of manifest) hash.update(piece as Buffer)
  if (`sha256:${hash.digest('hex')}` !== image.top.digest) return 'another manifest'
  for (const blob of image.blobs) {
    const response = await open(`${repository}/blobs/${blob.digest}`)
    const half = leaves && blob.size > 1024 * 1024 ? blob.size / 2 : Infinity
    const how = await read(response, blob, half)
    if (how !== 'whole') return how
  }
  return 'whole'
}

async function open(url: string): Promise<IncomingMessage> {
  const asking = request(url, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } })
  asking.end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  if (response.statusCode !== 200) throw new Error(`${url}: ${response.statusCode ?? 0}`)
  return response
}

async function read(response: IncomingMessage, blob: BuiltBlob, upTo: number): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) {
    hash.update(piece)
    bytes += piece.length
    // Leaving the loop destroys the connection.
    if (bytes >= upTo) return 'left'
  }
  return `sha256:${hash.digest('hex')}` === blob.digest ? 'whole' : 'other bytes'
}
