import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pulled } from '../support/clients/client.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { lacking } from '../support/images/held-whole.ts'
import { type TempFolder, tempFolder } from '../support/process/temp-folder.ts'
import { arrives, digestAt, type Site, startSite } from '../e2e/site.ts'

const [KO, REGSYNC] = [goProgram('ko') ?? '', goProgram('regsync') ?? '']

describe('through the gateway', () => {
  let site: Site
  let folder: TempFolder

  beforeAll(async () => {
    folder = await tempFolder('tools')
    site = await startSite({ project: '    onHit: check\n    revalidateAfter: 0s' })
  }, 60_000)

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  describe.skipIf(KO === '')(`ko${missingProgram('ko')}`, () => {
    const options = { platforms: ['linux/amd64'], index: false }

    beforeAll(async () => {
      await writeFile(join(folder.path, 'go.mod'), 'module example.test/app\n\ngo 1.22\n')
      await writeFile(join(folder.path, 'main.go'), 'package main\n\nfunc main() {}\n')
    })

    async function build(base: string) {
      await writeFile(join(folder.path, '.ko.yaml'), `defaultBaseImage: ${site.gateway}/${base}\n`)
      const env = {
        ...{ KO_DOCKER_REPO: `${site.gateway}/team/built`, HOME: folder.path },
        ...{ GOFLAGS: '-buildvcs=false', GOPROXY: 'off', GOCACHE: join(folder.path, 'cache') },
      }
      const args = ['build', '--insecure-registry', '--bare', '--platform=linux/amd64', '.']
      return await pulled(KO, args, { cwd: folder.path, env, within: 300_000 })
    }

    it('builds on an image that was never pulled, and again when its tag has moved', async () => {
      for (const layers of [2, 3]) {
        const base = await site.publish('team/ko-base:1.0', { ...options, layers })

        expect(await build('team/ko-base:1.0')).toMatchObject({ code: 0 })

        await arrives(site, 'team/ko-base:1.0', base)
        expect(await lacking(site.local, 'team/built', 'latest')).toEqual([])
      }
    }, 600_000)
  })

  describe.skipIf(REGSYNC === '')(`regsync${missingProgram('regsync')}`, () => {
    let edge: TestRegistry

    beforeAll(async () => {
      edge = await startRegistry()
    }, 60_000)

    afterAll(async () => {
      await edge[Symbol.asyncDispose]()
    })

    async function sync() {
      const file = join(folder.path, 'regsync.yaml')
      await writeFile(file, syncFile(site.gateway, edge.host))
      const env = { HOME: folder.path }
      return await pulled(REGSYNC, ['once', '-c', file, '-v', 'debug'], { env, within: 120_000 })
    }

    it('mirrors a repository with all tags that upstream has, and those that moved', async () => {
      await mkdir(join(folder.path, '.docker'), { recursive: true })
      const one = await site.publish('team/synced:1.0')
      const two = await site.publish('team/synced:2.0')
      expect(await sync()).toMatchObject({ code: 0 })
      expect(await digestAt(edge, 'team/synced:1.0')).toBe(one.top.digest)
      expect(await digestAt(edge, 'team/synced:2.0')).toBe(two.top.digest)
      const moved = await site.publish('team/synced:2.0')

      // What upstream said of a tag is believed for two seconds.
      await eventually(
        async () => {
          expect(await sync()).toMatchObject({ code: 0 })
          return (await digestAt(edge, 'team/synced:2.0')) === moved.top.digest
        },
        { within: 120_000, describe: 'the moved tag to be mirrored' },
      )

      expect(await lacking(edge, 'team/synced', '2.0')).toEqual([])
    }, 240_000)
  })
})

function syncFile(from: string, to: string): string {
  return `version: 1
creds:
  - { registry: ${JSON.stringify(from)}, tls: disabled }
  - { registry: ${JSON.stringify(to)}, tls: disabled }
sync:
  - source: ${from}/team/synced
    target: ${to}/team/synced
    type: repository
`
}
