import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refuse, startScriptedRegistry } from '../../support/registry/scripted-registry.ts'
import { configFor, open, reference, repository, SIGNAL } from '../contract-content.ts'
import { harborSite, type HarborSite } from './harbor-site.ts'

const TAG = reference('1')

describe('a tag', () => {
  let site: HarborSite

  beforeEach(async () => {
    site = await harborSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  function inHarbor(name: string) {
    const { admin } = site.harbor
    const client = open(
      configFor(site.harbor.url, { username: admin.name, password: admin.password }),
    )
    site.open.push(client)
    return client.repository(repository(name))
  }

  it('is deleted from Harbor, and is deleted when it is gone already', async () => {
    await site.push('team/a:1')

    expect(await inHarbor('team/a').deleteManifest(TAG, SIGNAL)).toBe(true)
    expect(await inHarbor('team/a').deleteManifest(TAG, SIGNAL)).toBe(true)
  })

  it.each([
    ['a page', '404 page not found'],
    ['an error of another form', '{"errors":[{"status":404,"message":"File not found."}]}'],
  ])('is not deleted where Harbor’s API is not known, which %s says', async (_, body) => {
    await using registry = await startScriptedRegistry()
    registry.script({ method: 'DELETE' }, ({ response }) => {
      refuse(response, 400, 'UNSUPPORTED')
    })
    registry.script({ path: /^\/api\// }, ({ response }) => {
      response.writeHead(404).end(body)
    })
    await using client = open(configFor(registry.url))

    expect(await client.repository(repository('team/a')).deleteManifest(TAG, SIGNAL)).toBe(false)
  })
})
