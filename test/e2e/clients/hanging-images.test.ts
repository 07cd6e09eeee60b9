import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import {
  addSmallImage,
  type ScriptedSite,
  startScriptedSite,
} from '../../support/registry/scripted-site.ts'
import type { Turn } from '../../support/registry/scripted-registry.ts'

const HANGING = Array.from({ length: 24 }, (_, n) => `team/hanging-${n}`)
const GOOD = Array.from({ length: 10 }, (_, n) => `team/good-${n}`)
const LAYER_BYTES = 100_000
/** The digests of all of them. */
const layers = new Set<string>()

const MISBEHAVIOURS: readonly [string, RegExp, (turn: Turn) => unknown][] = [
  ['layers are never answered', /hanging.*\/blobs\//, () => undefined],
  [
    'layers stop in their middle',
    /hanging.*\/blobs\//,
    ({ request, response, serve }) => {
      if (!layers.has(request.url?.split('/').at(-1) ?? '')) return serve()
      response.writeHead(200, { 'content-length': LAYER_BYTES })
      return response.write(Buffer.alloc(LAYER_BYTES / 2))
    },
  ],
  ['manifests are never answered', /hanging.*\/manifests\/sha256/, () => undefined],
]

describe('beside 24 images of which', () => {
  let site: ScriptedSite

  beforeEach(async () => {
    site = await startScriptedSite('  - { name: team, upstream: hq, onMiss: async }', 5)
  })

  afterEach(async () => {
    await site[Symbol.asyncDispose]()
  })

  async function miss(repositories: readonly string[]) {
    for (const repository of repositories) {
      const image = addSmallImage(site.upstream, repository, tagOf(repository), LAYER_BYTES)
      layers.add(image.layer)
      await fetch(`${site.gateway}/v2/${repository}/manifests/${tagOf(repository)}`)
    }
  }

  it.each(MISBEHAVIOURS)(
    '%s, ten good ones come while those still hang',
    async (_, path, misbehave) => {
      let open = 0
      site.upstream.script({ method: 'GET', path }, (turn) => {
        open += 1
        turn.response.once('close', () => {
          open -= 1
        })
        return misbehave(turn)
      })
      await miss(HANGING)
      await eventually(() => open >= 8, { describe: 'as many to hang as may run' })

      await miss(GOOD)

      await eventually(async () => (await count(GOOD)) === GOOD.length, {
        describe: 'all good images to be here',
      })
      expect(open).toBeGreaterThan(0)
      expect(await count(HANGING)).toBe(0)
    },
  )

  /** How many the local registry has. */
  async function count(repositories: readonly string[]): Promise<number> {
    const there = await Promise.all(
      repositories.map(async (repository) => {
        const url = `${site.local.url}/v2/${repository}/manifests/${tagOf(repository)}`
        return (await fetch(url, { method: 'HEAD' })).ok
      }),
    )
    return there.filter(Boolean).length
  }
})

// Their configs are to differ as well.
function tagOf(repository: string): string {
  return repository.replace('team/', '')
}
