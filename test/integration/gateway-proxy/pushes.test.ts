import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { proxySite, type ProxySite } from './proxy-site.ts'

const TYPE = 'application/vnd.oci.image.manifest.v1+json'

describe('a client that asks for a tag by HEAD, in one form', () => {
  let site: ProxySite
  let asked: string[]

  beforeEach(async () => {
    site = await proxySite()
    asked = []
  })

  afterEach(() => site[Symbol.asyncDispose]())

  // Before anything else is done about a miss, the registry is asked for it in any form. Of a push, nothing is.
  it.each([
    ['pushes, after an upload that the registry accepted', 202, ['HEAD']],
    ['pushes, after a blob that was mounted', 201, ['HEAD']],
    ['may want to pull, after an upload for which it had to log in', 401, ['HEAD', 'HEAD']],
    ['may want to pull, after an upload that was denied', 403, ['HEAD', 'HEAD']],
  ])('%s', async (_, status, expected) => {
    site.answer = ({ method = '' }, response) => {
      asked.push(method)
      response.writeHead(method === 'POST' ? status : 404, { 'Content-Length': 0 }).end()
    }

    await fetch(`${site.front.url}/v2/team/app/blobs/uploads/`, { method: 'POST' })
    await fetch(`${site.front.url}/v2/team/app/manifests/1.0`, {
      ...{ method: 'HEAD', headers: { accept: TYPE } },
    })

    expect(asked).toEqual(['POST', ...expected])
  })
})

it('a push of a manifest listens to its answer so often only that Node sees no leak in it', async () => {
  await using site = await proxySite()
  const warnings: string[] = []
  const warned = ({ message }: Error) => warnings.push(message)
  process.on('warning', warned)

  const { status } = await fetch(`${site.front.url}/v2/team/app/manifests/1.0`, {
    ...{ method: 'PUT', body: '{}' },
  })
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', warned)

  expect([status, warnings]).toEqual([200, []])
})
