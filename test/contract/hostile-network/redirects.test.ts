import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { refuse } from '../../support/registry/scripted-registry.ts'
import { bytesOf, configFor, failureOf, open, randomBlob, SIGNAL } from '../contract-content.ts'
import { ACCOUNT, MANIFEST, TAG, twoOrigins, type TwoOrigins } from './two-origins.ts'

let origins: TwoOrigins

beforeEach(async () => {
  origins = await twoOrigins()
})

afterEach(() => origins[Symbol.asyncDispose]())

describe('redirects', () => {
  const blob = randomBlob(50_000)

  function redirectTo(location: string, status = 307) {
    origins.registry.script({ method: 'GET', path: /\/blobs\// }, ({ response }) =>
      response.writeHead(status, { location }).end(),
    )
  }

  it.each([301, 302, 303, 307, 308])(
    'with %i are followed, without the Authorization',
    async (status) => {
      await origins.replaceRegistry({ basic: ACCOUNT })
      origins.other.addBlob('store/x', blob.bytes)
      const client = origins.repo(ACCOUNT)
      await client.headManifest(TAG, SIGNAL)
      redirectTo(
        `${origins.other.url}/v2/store/x/blobs/${blob.descriptor.digest}?X-Signature=1`,
        status,
      )

      const body = await client.getBlob(blob.descriptor, SIGNAL)

      expect((await bytesOf(body)).equals(blob.bytes)).toBe(true)
      expect(origins.registry.requests.at(-1)?.headers.authorization).toBeDefined()
      expect(origins.other.requests.map(({ headers }) => headers.authorization)).toEqual([
        undefined,
      ])
    },
  )

  it.each(['GET', 'HEAD'] as const)(
    "of a %s at Harbor's own API do not take the password along",
    async (method) => {
      origins.registry.script({ path: /^\/api\// }, ({ request, response }) => {
        const isFirst = request.url?.endsWith('/projects') === true
        const location = isFirst ? '/api/v2.0/moved' : `${origins.other.url}/login`
        response.writeHead(302, { location }).end()
      })
      const trusting = { id: 'hq', trustedHosts: ['127.0.0.1'], ...ACCOUNT }
      await using client = open(configFor(origins.registry.url, trusting))
      const asked = { path: 'projects', what: 'look at', expect: [404], signal: SIGNAL }

      await client.askHarbor({ ...asked, method })

      expect(origins.registry.requests.map(({ headers }) => headers.authorization)).toEqual([
        expect.stringMatching(/^Basic /),
        expect.stringMatching(/^Basic /),
      ])
      expect(origins.other.requests.map(({ headers }) => headers.authorization)).toEqual([
        undefined,
      ])
    },
  )

  it('back home again get no Authorization either: the way was not ours', async () => {
    await origins.replaceRegistry({ basic: ACCOUNT })
    const client = origins.repo(ACCOUNT)
    await client.headManifest(TAG, SIGNAL)
    redirectTo(`${origins.other.url}/there`)
    origins.other.script({}, ({ response }) =>
      response.writeHead(307, { location: `${origins.registry.url}/and/back` }).end(),
    )

    await failureOf(client.getBlob(blob.descriptor, SIGNAL))

    const back = origins.registry.requests.find(({ path }) => path === '/and/back')
    expect(back?.headers.authorization).toBeUndefined()
  })

  it('in a loop end after five hops', async () => {
    redirectTo('/v2/team/app/blobs/sha256:loop')

    const failure = await failureOf(origins.repo().getBlob(blob.descriptor, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/redirected more than 5 times/)
    expect(origins.registry.requests).toHaveLength(6)
  })

  it('to nowhere are no answer', async () => {
    origins.registry.script({}, ({ response }) => response.writeHead(307).end())

    expect(String(await failureOf(origins.repo().getBlob(blob.descriptor, SIGNAL)))).toMatch(
      /without saying where to go/,
    )
  })

  it.each([
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data/'],
    ['the same, written as a number', 'http://2852039166/'],
    ['the same, as IPv4 within IPv6', 'http://[::ffff:169.254.169.254]/'],
    ['another loopback address', 'http://127.0.0.2:6379/'],
    ['loopback in IPv6', 'http://[::1]:6379/'],
    ['a private network', 'https://10.0.0.1/'],
  ])('to %s are not followed', async (_, location) => {
    redirectTo(location)

    const failure = await failureOf(origins.repo().getBlob(blob.descriptor, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
    expect(String(failure)).toContain('upstreams.hq.trustedHosts')
  })

  it.each(['file:///srv/blob', 'ftp://store.example/blob', 'data:,blob', 'unix:/run/x.sock'])(
    'to %s are refused in words of their own',
    async (location) => {
      redirectTo(location)

      const failure = await failureOf(origins.repo().getBlob(blob.descriptor, SIGNAL))

      expect(failure).toMatchObject({ disposition: 'permanent' })
      expect(String(failure)).toContain(`redirected to a "${new URL(location).protocol}" address`)
      expect(String(failure)).not.toContain('trustedHosts')
    },
  )

  it('to a name that resolves to a private address are not followed', async () => {
    origins.other.addBlob('x', blob.bytes)
    redirectTo(`http://localhost:${origins.other.port}/v2/x/blobs/${blob.descriptor.digest}`)

    const failure = await failureOf(origins.repo().getBlob(blob.descriptor, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
    expect(origins.other.connections()).toBe(0)
  })

  it('to a private host that the operator trusts are followed', async () => {
    origins.other.addBlob('x', blob.bytes)
    redirectTo(`http://localhost:${origins.other.port}/v2/x/blobs/${blob.descriptor.digest}`)

    const body = await origins
      .repo({ trustedHosts: ['localhost'] })
      .getBlob(blob.descriptor, SIGNAL)

    expect((await bytesOf(body)).equals(blob.bytes)).toBe(true)
  })

  it('to an object store that refuses its own link are worth another try', async () => {
    redirectTo(`${origins.other.url}/v2/x/blobs/${blob.descriptor.digest}?X-Signature=secret`)

    const failure = await failureOf(origins.repo().getBlob(blob.descriptor, SIGNAL))

    expect(String(failure)).not.toContain('secret')
    expect(failure).toMatchObject({ status: 404 })
  })

  it('of a challenge teach nothing: the object store gets no credentials', async () => {
    redirectTo(`${origins.other.url}/v2/`)
    origins.other.script({}, ({ response }) => {
      response.setHeader('www-authenticate', 'Basic realm="give me"')
      refuse(response, 401, 'UNAUTHORIZED')
    })

    await failureOf(origins.repo(ACCOUNT).getBlob(blob.descriptor, SIGNAL))

    expect(origins.other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it('of a push are not followed, and the right key is named', async () => {
    origins.registry.script({ method: 'PUT' }, ({ response }) =>
      response.writeHead(308, { location: `${origins.other.url}/` }).end(),
    )

    const failure = await failureOf(origins.repo().putManifest(TAG, MANIFEST, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 308 })
    expect(String(failure)).toContain('upstreams.hq.url')
    expect(origins.other.requests).toHaveLength(0)
  })
})
