import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { arrives, type Site, startSite } from '../site.ts'

const MIB = 1024 * 1024
const ESTABLISHED = '01'

let site: Site

beforeAll(async () => {
  site = await startSite({ together: true, throughLine: true, project: '    onMiss: stream' })
})

afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

it('streams to clients what another part of the same process fetches, without a connection', async () => {
  const image = await site.publish('team/up:1', { index: false, layers: 1, layerBytes: 24 * MIB })
  const [layer] = [...image.blobs].sort((one, other) => other.size - one.size)
  if (layer === undefined) throw new Error('the image has no layers')
  site.line.hold(8 * MIB)

  const base = `http://${site.gateway}/v2/team/up`
  const headers = { accept: image.top.mediaType }
  const manifest = await fetch(`${base}/manifests/1`, { headers })
  expect(manifest.status).toBe(200)
  await manifest.arrayBuffer()
  const [answer] = (await once(get(`${base}/blobs/${layer.digest}`), 'response')) as [
    IncomingMessage,
  ]
  const hash = createHash('sha256')
  let bytes = 0
  answer.on('data', (piece: Buffer) => {
    hash.update(piece)
    bytes += piece.length
  })
  const whole = once(answer, 'end')
  // A test that fails before it gets there has told enough.
  whole.catch(() => undefined)
  await eventually(() => site.line.held() && bytes > 6 * MIB, {
    describe: 'the part that upstream has sent to be at the client',
  })
  expect(await connectionsTo(await spoolPort(layer.digest))).toBe(0)
  site.line.release()

  await whole
  expect(`sha256:${hash.digest('hex')}`).toBe(layer.digest)
  await arrives(site, 'team/up:1', image)
})

/** Where gateways of other processes would follow the blob. */
async function spoolPort(digest: string): Promise<number> {
  const redis = new Redis(site.redis.url)
  try {
    const url = await redis.get(`pullsync:spool:hq:${digest}`)
    return Number(new URL(url ?? '').port)
  } finally {
    redis.disconnect()
  }
}

/** That are open, of this machine. */
async function connectionsTo(port: number): Promise<number> {
  const [, ...lines] = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n')
  const ends = lines.map((line) => line.trim().split(/\s+/))
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return ends.filter(([, from = '', , state]) => from.endsWith(local) && state === ESTABLISHED)
    .length
}
