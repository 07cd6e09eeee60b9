import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { whyNoContainers } from '../support/clients/client.ts'
import { startPartialPodman } from '../support/clients/partial-podman.ts'
import { PODMAN } from '../support/clients/podman.ts'
import { LIST_FILES, runnableImage } from '../support/clients/runnable-image.ts'
import { eventually } from '../support/eventually.ts'
import { digestAt, type Site, startSite } from '../e2e/site.ts'

const whyNot = await whyNoContainers(PODMAN)
const BLOBS = { method: 'GET', path: /^\/v2\/team\/chunked\/blobs\// } as const
const PARTIAL = 'Retrieved partial blob'

it.skipIf(whyNot !== undefined)(
  'podman pulls parts of zstd:chunked layers, both while they come and once they are here',
  async () => {
    await using site = await startSite({ project: '    onMiss: stream' })
    await using content = await runnableImage()
    await using publisher = await startPartialPodman()
    await using client = await startPartialPodman()
    const [folder = ''] = content.options.folders ?? []
    const upstream = `${site.upstream.host}/team/chunked`
    const pulls = []

    for (const tag of ['1.0', '2.0']) {
      await writeFile(join(folder, 'image', 'changed'), randomBytes(1_000_000))
      expect(await publisher.publish(folder, `${upstream}:${tag}`)).toMatchObject({ code: 0 })
      const pull = await client.pull(`${site.gateway}/team/chunked:${tag}`)
      await arrived(site, tag)
      const files = await client.run(`${site.gateway}/team/chunked:${tag}`, LIST_FILES)
      const same = files === (await publisher.run(`${upstream}:${tag}`, LIST_FILES))
      pulls.push({ code: pull.code, partial: pull.output.includes(PARTIAL), same })
    }
    await using late = await startPartialPodman()
    const again = await late.pull(`${site.gateway}/team/chunked:1.0`)

    const good = { code: 0, partial: true, same: true }
    expect(pulls).toEqual([good, good])
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining(PARTIAL) as string })
    // A config and a layer of each, once.
    const fetched = await eventually(
      () => {
        const paths = site.upstream.requests(BLOBS).map(({ path }) => path)
        return paths.length < 4 ? undefined : paths
      },
      { describe: 'upstream to log what was fetched of it' },
    )
    expect(new Set(fetched).size).toBe(4)
    expect(fetched).toHaveLength(4)
  },
)

async function arrived({ local, upstream }: Site, tag: string): Promise<void> {
  const name = `team/chunked:${tag}`
  const published = await digestAt(upstream, name)
  await eventually(async () => (await digestAt(local, name)) === published, {
    describe: `${name} to be in the local registry`,
  })
}
