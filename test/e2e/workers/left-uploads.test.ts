import { readdir } from 'node:fs/promises'
import { afterEach, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { goProgram, missingProgram } from '../../support/process/go-program.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { arrives, type Site, startSite } from '../site.ts'

const LAYER = 8_000_000
/** Of such, what the registry has is continued. */
const LARGE = 40_000_000
/** In the middle of both layers. */
const HELD_AT = 6_000_000

let site: Site

afterEach(async () => {
  await site[Symbol.asyncDispose]()
})

/** With bytes: of one that was cancelled, a registry keeps an empty folder. */
async function uploads(): Promise<readonly string[]> {
  const entries = await readdir(site.local.storageFolder, { recursive: true }).catch(() => [])
  return entries.filter((path) => /_uploads\/[^/]+\/data$/.test(path))
}

const program = goProgram('distribution3')

// Of distribution 2.8 what was cut cannot be cancelled: it answers 404 to that and keeps the bytes until it purges them.
it.skipIf(program === undefined)(
  `what a killed worker was uploading is cancelled by another one${missingProgram('distribution3')}`,
  async () => {
    site = await startSite({ throughLine: true, local: { program } })
    const options = { index: false, layers: 2, layerBytes: LAYER }
    const image = await site.publish('team/app:1.0', options)
    site.line.hold(HELD_AT)
    await site.miss('team/app', '1.0')
    await eventually(async () => site.line.held() && (await uploads()).length >= 2, {
      describe: 'both layers to be under way',
    })

    await site.workers[0]?.kill9()
    site.line.release()
    const left = await uploads()
    await site.startWorker()

    await arrives(site, 'team/app:1.0', image)
    // The config's, if it had begun, is an upload of a small blob, of which nothing was sent.
    await eventually(async () => (await uploads()).length <= left.length - 2, {
      describe: `no layer to be left of ${left.join(', ')}`,
    })
    expect(left.length).toBeGreaterThanOrEqual(2)
  },
)

it.skipIf(program === undefined)(
  `what a killed worker left for others to continue is cancelled once its layer is here by another way${missingProgram('distribution3')}`,
  async () => {
    site = await startSite({ throughLine: true, local: { program } })
    const image = await site.publish('team/app:1.0', { index: false, layers: 1, layerBytes: LARGE })
    site.line.hold(LARGE - 2_000_000)
    await site.miss('team/app', '1.0')
    await eventually(async () => site.line.held() && (await uploads()).length > 0, {
      describe: 'the layer to be under way',
      within: 60_000,
    })
    await site.workers[0]?.kill9()
    site.line.release()

    await pushOverHttp(image, { url: site.local.url, repository: 'team/app', tag: '1.0' })
    await site.startWorker()

    await eventually(async () => (await uploads()).length === 0, {
      describe: 'nothing to be left',
      within: 90_000,
    })
  },
  180_000,
)
