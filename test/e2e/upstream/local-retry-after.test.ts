import { afterAll, beforeAll, expect, it } from 'vitest'
import { OCI_INDEX } from '../../../src/oci/media-types.ts'
import { eventually } from '../../support/eventually.ts'
import { refuse } from '../../support/registry/scripted-registry.ts'
import {
  addSmallImage,
  type ScriptedSite,
  startScriptedSite,
} from '../../support/registry/scripted-site.ts'

const RETRY_AFTER_S = 12

let site: ScriptedSite

beforeAll(async () => {
  site = await startScriptedSite('  - { name: team, upstream: hq, policy: none }')
})

afterAll(async () => {
  await site[Symbol.asyncDispose]()
})

async function json<T>(...args: string[]): Promise<T> {
  const { stdout } = await site.pullsync.run([...args, '--json'])
  return JSON.parse(stdout) as T
}

it.each([429, 503])(
  'a Retry-After of the local registry with %i holds what is pushed there, and not the upstream',
  async (status) => {
    const repository = `team/busy-${status}`
    addSmallImage(site.upstream, repository, '1.0')
    addSmallImage(site.upstream, 'team/other', `${status}`)
    let refusedAt = 0
    const pushedAt: number[] = []
    const pushes = { method: 'PUT', path: new RegExp(`/${repository}/manifests/1\\.0$`) }
    site.local.script(pushes, ({ serve }) => {
      pushedAt.push(performance.now())
      return serve()
    })
    site.local.script({ ...pushes, times: 1 }, ({ response }) => {
      refusedAt = performance.now()
      response.setHeader('retry-after', `${RETRY_AFTER_S}`)
      refuse(response, status, 'UNAVAILABLE')
    })

    const heldBefore = site.pullsync
      .output()
      .filter((line) => line.includes('registry held')).length
    await site.pullsync.run(['sync', `${repository}:1.0`])
    await eventually(() => refusedAt > 0, { describe: 'the push to be refused' })
    const held = () =>
      site.pullsync
        .output()
        .filter((line) => line.includes('registry held'))
        .slice(heldBefore)
    await eventually(() => held().length > 0, { describe: 'a registry to be held' })

    // A HEAD of what is not here asks an upstream, unless that is held.
    const head = await fetch(`${site.gateway}/v2/team/other/manifests/${status}`, {
      method: 'HEAD',
      headers: { accept: `${OCI_INDEX}, application/json` },
    })
    expect(head.status).toBe(200)
    expect(held().filter((line) => line.includes('"hq"'))).toEqual([])
    await eventually(() => pushedAt.length === 1, {
      describe: 'the push to be made again',
    })
    expect(pushedAt.filter((at) => at - refusedAt < RETRY_AFTER_S * 1_000)).toEqual([])
    await eventually(
      async () =>
        (await json<{ state: string }[]>('jobs', 'list')).every(
          ({ state }) => state === 'completed',
        ),
      { describe: 'the only attempt to be enough' },
    )
  },
)
