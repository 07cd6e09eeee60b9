import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refuse } from '../../support/registry/scripted-registry.ts'
import { bytesOf, failureOf, randomBlob, SIGNAL, streamOf } from '../contract-content.ts'
import { ACCOUNT, TAG, twoOrigins, type TwoOrigins } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('upload locations', () => {
  const { bytes, descriptor } = randomBlob(50_000)

  function uploadTo(location: string) {
    origins.registry.script({ method: 'POST' }, ({ response }) =>
      response.writeHead(202, { location }).end(),
    )
  }

  it('on another origin get the blob, without the Authorization', async () => {
    await origins.replaceRegistry({ basic: ACCOUNT })
    const client = origins.repo(ACCOUNT)
    await client.headManifest(TAG, SIGNAL)
    uploadTo(`${origins.other.url}/elsewhere?signature=1`)
    origins.other.script({}, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(201).end()
    })

    await client.putBlob(descriptor, streamOf(bytes), SIGNAL)

    expect(origins.other.requests).toMatchObject([
      { method: 'PUT', headers: { host: origins.other.host } },
    ])
    expect(origins.other.requests[0]?.headers.authorization).toBeUndefined()
    expect(origins.other.requests[0]?.path).toBe(
      `/elsewhere?signature=1&digest=${encodeURIComponent(descriptor.digest)}`,
    )
  })

  it.each([
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data/'],
    ['another loopback address', 'http://127.0.0.2:6379/'],
  ])('on %s get nothing', async (_, location) => {
    uploadTo(location)

    const failure = await failureOf(origins.repo().putBlob(descriptor, streamOf(bytes), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
  })

  it.each([
    ['an absolute path', (upload: string) => `/v2/team/app/blobs/uploads/${upload}`],
    ['a relative path', (upload: string) => upload],
    [
      'a whole address',
      (upload: string) => `${origins.registry.url}/v2/team/app/blobs/uploads/${upload}`,
    ],
  ])('may be %s, and keep their query', async (_, locationOf) => {
    origins.registry.script({ method: 'POST' }, ({ response }) =>
      response.writeHead(202, { location: `${locationOf('the-upload')}?_state=a%2Fb` }).end(),
    )
    origins.registry.script({ method: 'PUT' }, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(201).end()
    })

    await origins.repo().putBlob(descriptor, streamOf(bytes), SIGNAL)

    const digest = encodeURIComponent(descriptor.digest)
    expect(origins.registry.requests.at(-1)?.path).toBe(
      `/v2/team/app/blobs/uploads/the-upload?_state=a%2Fb&digest=${digest}`,
    )
  })

  it('and their state never stand in an error', async () => {
    origins.registry.script({ method: 'PUT' }, ({ response }) => {
      refuse(response, 500, 'UNKNOWN')
    })

    const failure = await failureOf(origins.repo().putBlob(descriptor, streamOf(bytes), SIGNAL))

    expect(String(failure)).not.toMatch(/_state|secret/)
  })
})
