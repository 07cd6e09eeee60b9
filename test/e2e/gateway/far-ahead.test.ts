import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { digestOf } from '../../../src/oci/digest.ts'
import { OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { addImageOf } from '../../support/images/empty-image.ts'
import { eventually } from '../../support/eventually.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { type TempFolder, tempFolder } from '../../support/process/temp-folder.ts'
import { type Site, startSite } from '../site.ts'

const MIB = 1024 * 1024
const LAYER = randomBytes(80 * MIB)
const DIGEST = digestOf(LAYER)
/** As far as upstream gives it before it is told to go on. */
const GIVEN = 2 * MIB

let folder: TempFolder
let hub: ScriptedRegistry
let site: Site
let goOn: () => void
/** Of each GET of the layer. */
let ranges: (string | undefined)[]

beforeEach(async () => {
  folder = await tempFolder('far-ahead')
  hub = await startScriptedRegistry()
  addImageOf(hub, 'hub/model', '1.0', [LAYER])
  const told = new Promise<void>((resolve) => (goOn = resolve))
  ranges = []
  hub.script(
    { method: 'GET', path: new RegExp(`/blobs/${DIGEST}$`) },
    async ({ request, response }) => {
      const { range } = request.headers
      ranges.push(range)
      const { from, to } = readByteRange(range)
      response.writeHead(range === undefined ? 200 : 206, {
        'content-length': to - from,
        'content-range': `bytes ${from}-${to - 1}/${LAYER.length}`,
      })
      if (to - from > MIB) {
        response.write(LAYER.subarray(from, from + GIVEN))
        await told
      }
      response.end(LAYER.subarray(to - from > MIB ? from + GIVEN : from, to))
    },
  )
  site = await startSite({
    upstreamConfig: `  hub:\n    url: ${hub.url}`,
    project: '  - name: hub\n    upstream: hub\n    referrers: false',
    jobs: `spool: { folder: ${folder.path}/spool, size: 64MiB }`,
  })
  const manifest = `http://${site.gateway}/v2/hub/model/manifests/1.0`
  await fetch(manifest, { headers: { accept: OCI_MANIFEST } })
})

afterEach(async () => {
  goOn()
  await site[Symbol.asyncDispose]()
  await hub[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

/** `to` is not among them. */
function readByteRange(range = 'bytes=0-'): { readonly from: number; readonly to: number } {
  const [, first, last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? []
  return { from: Number(first), to: last === '' ? LAYER.length : Number(last) + 1 }
}

const url = () => `http://${site.gateway}/v2/hub/model/blobs/${DIGEST}`

async function part(range: string) {
  const answer = await fetch(url(), { headers: { range } })
  const { status } = answer
  const contentRange = answer.headers.get('content-range')
  return { status, contentRange, bytes: Buffer.from(await answer.arrayBuffer()) }
}

it('gives parts that are far from coming by a request of their own, while the layer comes', async () => {
  const whole = fetch(url())

  const size = LAYER.length
  const [last, again, middle] = await Promise.all(
    ['bytes=-1000', 'bytes=-1000', `bytes=${20 * MIB}-${20 * MIB + 99}`].map(part),
  )

  expect(last).toMatchObject({
    status: 206,
    contentRange: `bytes ${size - 1000}-${size - 1}/${size}`,
    bytes: LAYER.subarray(-1000),
  })
  expect(again).toEqual(last)
  expect(middle?.bytes).toEqual(LAYER.subarray(20 * MIB, 20 * MIB + 100))
  goOn()
  expect(digestOf(Buffer.from(await (await whole).arrayBuffer()))).toBe(DIGEST)
  expect(ranges.filter((range) => range === undefined)).toHaveLength(1)
})

it('gives what comes soon, and what is large, from the copy', async () => {
  const asked = [`bytes=${3 * MIB}-${3 * MIB + 99}`, `bytes=${10 * MIB}-`, 'bytes=0-']
  const parts = Promise.all(asked.map(part))
  await eventually(() => ranges.length > 0)

  goOn()

  const [soon, large] = await parts
  expect(soon?.bytes).toEqual(LAYER.subarray(3 * MIB, 3 * MIB + 100))
  expect(large?.bytes.equals(LAYER.subarray(10 * MIB))).toBe(true)
  expect(ranges).toEqual([undefined])
})
