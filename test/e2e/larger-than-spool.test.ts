import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { type TempFolder, tempFolder } from '../support/temp-folder.ts'
import { type Site, startSite } from './site.ts'

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
  expect(site.upstream.requests({ method: 'GET', path })).toHaveLength(1)
})

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
