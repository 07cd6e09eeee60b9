import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'
import { loggedRequests } from '../../support/registry/logged-requests.ts'
import { arrives, type Site, startSite } from '../site.ts'

const MIB = 1024 * 1024
const LAYER = 100 * MIB

let folder: TempFolder
let site: Site

beforeEach(async () => {
  folder = await tempFolder('larger-than-spool')
  site = await startSite({
    // Slow enough that the layer is under way for some seconds.
    upstreamConfig: '    maxBytesPerSecond: 20MiB',
    project: '    onMiss: stream',
    jobs: `spool: { folder: ${folder.path}/spool, size: 64MiB }`,
  })
})

afterEach(async () => {
  await site[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

it('two clients some MiB apart follow a layer that is larger than the spool', async () => {
  const options = { index: false, layers: 1, layerBytes: LAYER }
  const image = await site.publish('team/model:1.0', options)
  const layer = image.blobs.find(({ size }) => size >= LAYER)?.digest ?? ''
  const url = (host: string) => `http://${host}/v2/team/model/blobs/${layer}`
  await fetch(`http://${site.gateway}/v2/team/model/manifests/1.0`, {
    headers: { accept: image.top.mediaType },
  })

  const first = await client(url(site.gateway))
  await first.read(8 * MIB)
  const second = await client(url(site.gateway))
  await second.read(MIB)
  const landed = await fetch(url(new URL(site.local.url).host), { method: 'HEAD' })
  const all = await Promise.all([first.read(Infinity), second.read(Infinity)])

  expect(landed.status).toBe(404)
  expect(all.map((bytes) => digestOf(bytes))).toEqual([layer, layer])
  const path = new RegExp(`/blobs/${layer}$`)
  expect(await loggedRequests(site.upstream, { method: 'GET', path })).toHaveLength(1)
})

it('three layers that are larger than the spool together reach clients of both habits', async () => {
  const options = { index: false, layers: 3, layerBytes: 24 * MIB }
  const image = await site.publish('team/shards:1.0', options)
  const shards = image.blobs.filter(({ size }) => size >= 24 * MIB).map(({ digest }) => digest)
  const url = (digest: string) => `http://${site.gateway}/v2/team/shards/blobs/${digest}`
  await fetch(`http://${site.gateway}/v2/team/shards/manifests/1.0`, {
    headers: { accept: image.top.mediaType },
  })
  const whole = async (digest: string) => {
    const { body } = await fetch(url(digest))
    return await hashOf(body ?? [])
  }

  const together = Promise.all(shards.map(whole))
  const inTurn: string[] = []
  for (const digest of shards) inTurn.push(await whole(digest))

  expect(shards).toHaveLength(3)
  expect(await together).toEqual(shards)
  expect(inTurn).toEqual(shards)
  await arrives(site, 'team/shards:1.0', image)
  for (const digest of shards) {
    const path = new RegExp(`/blobs/${digest}$`)
    expect(await loggedRequests(site.upstream, { method: 'GET', path })).toHaveLength(1)
  }
})

async function hashOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of body) hash.update(piece)
  return `sha256:${hash.digest('hex')}`
}

/** What reads on until it has so many bytes, and gives all of them. */
async function client(url: string) {
  const { body } = await fetch(url)
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader()
  const read: Uint8Array[] = []
  let bytes = 0
  return {
    read: async (until: number): Promise<Buffer> => {
      while (bytes < until) {
        const next = await reader?.read()
        if (next?.value === undefined) break
        read.push(next.value)
        bytes += next.value.length
      }
      return Buffer.concat(read)
    },
  }
}
