import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RegistryConfig } from '../../src/config/config.ts'
import type { RegistryRepository } from '../../src/registry/repository.ts'
import { eventually } from '../support/eventually.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/scripted-registry.ts'
import {
  bytesOf,
  configFor,
  failureOf,
  manifestOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
  streamOf,
} from './contract-content.ts'

const ACCOUNT = { username: 'robot', password: 'very-secret' }
const MANIFEST = manifestOf({ layers: [] })
const TAG = reference('1.0')

let registry: ScriptedRegistry
/** Another origin on the same host: what the registry leads to. */
let other: ScriptedRegistry
let disposables: AsyncDisposable[]

beforeEach(async () => {
  registry = await startScriptedRegistry()
  other = await startScriptedRegistry()
  disposables = [registry, other]
  registry.addManifest('team/app', '1.0', MANIFEST.bytes, MANIFEST.mediaType)
})

afterEach(async () => {
  await Promise.all(disposables.map((each) => each[Symbol.asyncDispose]()))
})

function repo(more: Partial<RegistryConfig> = {}): RegistryRepository {
  const client = open(configFor(registry.url, { id: 'hq', trustedHosts: ['127.0.0.1'], ...more }), {
    stallTimeoutMs: 2_000,
  })
  disposables.push(client)
  return client.repository(repository('team/app'))
}

/** Answers as a registry that takes these tokens only, and otherwise as it is. */
function wantToken(isGood: (authorization: string | undefined) => boolean, realm: string) {
  return async ({ request, response, serve }: Turn) => {
    if (isGood(request.headers.authorization)) {
      await serve()
      return
    }
    response.setHeader('www-authenticate', `Bearer realm="${realm}",service="s"`)
    refuse(response, 401, 'UNAUTHORIZED')
  }
}

describe('a registry that is busy or broken for a moment', () => {
  it.each([408, 429, 500, 502, 503, 504, 499, 522])(
    'with %i twice: the third try counts',
    async (status) => {
      registry.script({ times: 2 }, ({ response }) => {
        refuse(response, status, 'UNKNOWN')
      })

      expect(await repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
      expect(registry.requests).toHaveLength(3)
    },
  )

  it('with 429 three times: it is left to the job', async () => {
    registry.script({}, ({ response }) => {
      response.setHeader('retry-after', '0')
      refuse(response, 429, 'TOOMANYREQUESTS')
    })

    const failure = await failureOf(repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ status: 429, disposition: 'transient', retryAfterMs: 0 })
    expect(registry.requests).toHaveLength(3)
  })

  it.each([
    [429, 'seconds', () => '60'],
    [429, 'a date', () => new Date(Date.now() + 60_000).toUTCString()],
    [503, 'seconds', () => '60'],
    [503, 'a date', () => new Date(Date.now() + 60_000).toUTCString()],
  ])('with %i and a long Retry-After as %s: the job obeys it, at once', async (status, _, told) => {
    registry.script({}, ({ response }) => {
      response.setHeader('retry-after', told())
      refuse(response, status, 'UNAVAILABLE')
    })

    const failure = await failureOf(repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient' })
    expect(failure).toHaveProperty('retryAfterMs', expect.closeTo(60_000, -4))
    expect(registry.requests).toHaveLength(1)
  })

  it('by cutting a kept connection under a request: it is sent again', async () => {
    const client = repo()
    await client.headManifest(TAG, SIGNAL)
    registry.script({ times: 1 }, ({ request }) => request.socket.destroy())

    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
  })

  it('with 500 to the start of an upload: it is not begun twice', async () => {
    const { bytes, descriptor } = randomBlob(10)
    registry.script({ method: 'POST' }, ({ response }) => {
      refuse(response, 500, 'UNKNOWN')
    })

    const failure = await failureOf(repo().putBlob(descriptor, streamOf(bytes), SIGNAL))

    expect(failure).toMatchObject({ status: 500 })
    expect(registry.requests).toHaveLength(1)
  })

  it('with 503 to a manifest: it is pushed again', async () => {
    registry.script({ method: 'PUT', times: 1 }, ({ response }) => {
      refuse(response, 503, 'UNAVAILABLE')
    })

    await expect(repo().putManifest(TAG, MANIFEST, SIGNAL)).resolves.toBeUndefined()
  })

  it('and an abort while it is waited for: the wait ends', async () => {
    const abort = new AbortController()
    const reason = new Error('enough')
    registry.script({}, ({ response }) => {
      response.setHeader('retry-after', '4')
      refuse(response, 503, 'UNAVAILABLE')
      response.once('close', () => {
        abort.abort(reason)
      })
    })

    expect(await failureOf(repo().getManifest(TAG, abort.signal))).toBe(reason)
  })

  it('that is not there: the host, the port and the reason are told', async () => {
    const client = repo()
    await registry[Symbol.asyncDispose]()

    const failure = await failureOf(client.getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'transient', networkCode: 'ECONNREFUSED' })
    expect(String(failure)).toContain(`127.0.0.1:${registry.port}`)
    expect(String(failure)).toMatch(/ECONNREFUSED.*upstreams\.hq\.url/)
  })
})

describe('connections', () => {
  it('are kept, whatever the answers were', async () => {
    const client = repo()
    const { descriptor } = randomBlob(10)

    for (let round = 0; round < 5; round += 1) {
      await client.headManifest(TAG, SIGNAL)
      await client.getManifest(reference('nope'), SIGNAL)
      await client.hasBlob(descriptor.digest, SIGNAL)
      await failureOf(client.getBlob(descriptor, SIGNAL))
      await client.putManifest(TAG, MANIFEST, SIGNAL)
    }

    // A second one, for what is asked before the first one's answer is read to its end; blobs have their own.
    expect(registry.connections()).toBeLessThanOrEqual(3)
  })

  it('go past any proxy of the environment', async () => {
    vi.stubEnv('http_proxy', 'http://127.0.0.1:1')

    try {
      expect(await repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('are cut when the registry is closed', async () => {
    const client = open(configFor(registry.url))
    registry.script({}, () => undefined)
    const running = failureOf(client.repository(repository('team/app')).getManifest(TAG, SIGNAL))
    await eventually(() => registry.requests.length > 0)

    await client[Symbol.asyncDispose]()

    expect(await running).toMatchObject({ name: 'RegistryError', disposition: 'transient' })
  })

  it('carry the name of pullsync with every request', async () => {
    const { bytes, descriptor } = randomBlob(10)
    const client = repo()
    await client.putBlob(descriptor, streamOf(bytes), SIGNAL)
    await client.getManifest(TAG, SIGNAL)

    const agents = registry.requests.map(({ headers }) => headers['user-agent'])
    expect(new Set(agents)).toEqual(new Set(['pullsync/test']))
  })
})

describe('redirects', () => {
  const blob = randomBlob(50_000)

  function redirectTo(location: string, status = 307) {
    registry.script({ method: 'GET', path: /\/blobs\// }, ({ response }) =>
      response.writeHead(status, { location }).end(),
    )
  }

  it.each([301, 302, 303, 307, 308])(
    'with %i are followed, without the Authorization',
    async (status) => {
      disposables.push((registry = await startScriptedRegistry({ basic: ACCOUNT })))
      other.addBlob('store/x', blob.bytes)
      const client = repo(ACCOUNT)
      await client.headManifest(TAG, SIGNAL)
      redirectTo(`${other.url}/v2/store/x/blobs/${blob.descriptor.digest}?X-Signature=1`, status)

      const body = await client.getBlob(blob.descriptor, SIGNAL)

      expect((await bytesOf(body)).equals(blob.bytes)).toBe(true)
      expect(registry.requests.at(-1)?.headers.authorization).toBeDefined()
      expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
    },
  )

  it('back home again get no Authorization either: the way was not ours', async () => {
    disposables.push((registry = await startScriptedRegistry({ basic: ACCOUNT })))
    const client = repo(ACCOUNT)
    await client.headManifest(TAG, SIGNAL)
    redirectTo(`${other.url}/there`)
    other.script({}, ({ response }) =>
      response.writeHead(307, { location: `${registry.url}/and/back` }).end(),
    )

    await failureOf(client.getBlob(blob.descriptor, SIGNAL))

    const back = registry.requests.find(({ path }) => path === '/and/back')
    expect(back?.headers.authorization).toBeUndefined()
  })

  it('in a loop end after five hops', async () => {
    redirectTo('/v2/team/app/blobs/sha256:loop')

    const failure = await failureOf(repo().getBlob(blob.descriptor, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/redirected more than 5 times/)
    expect(registry.requests).toHaveLength(6)
  })

  it('to nowhere are no answer', async () => {
    registry.script({}, ({ response }) => response.writeHead(307).end())

    expect(String(await failureOf(repo().getBlob(blob.descriptor, SIGNAL)))).toMatch(
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

    const failure = await failureOf(repo().getBlob(blob.descriptor, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
    expect(String(failure)).toContain('upstreams.hq.trustedHosts')
  })

  it.each(['file:///srv/blob', 'ftp://store.example/blob', 'data:,blob', 'unix:/run/x.sock'])(
    'to %s are refused in words of their own',
    async (location) => {
      redirectTo(location)

      const failure = await failureOf(repo().getBlob(blob.descriptor, SIGNAL))

      expect(failure).toMatchObject({ disposition: 'permanent' })
      expect(String(failure)).toContain(`redirected to a "${new URL(location).protocol}" address`)
      expect(String(failure)).not.toContain('trustedHosts')
    },
  )

  it('to a name that resolves to a private address are not followed', async () => {
    other.addBlob('x', blob.bytes)
    redirectTo(`http://localhost:${other.port}/v2/x/blobs/${blob.descriptor.digest}`)

    const failure = await failureOf(repo().getBlob(blob.descriptor, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
    expect(other.connections()).toBe(0)
  })

  it('to a private host that the operator trusts are followed', async () => {
    other.addBlob('x', blob.bytes)
    redirectTo(`http://localhost:${other.port}/v2/x/blobs/${blob.descriptor.digest}`)

    const body = await repo({ trustedHosts: ['localhost'] }).getBlob(blob.descriptor, SIGNAL)

    expect((await bytesOf(body)).equals(blob.bytes)).toBe(true)
  })

  it('to an object store that refuses its own link are worth another try', async () => {
    redirectTo(`${other.url}/v2/x/blobs/${blob.descriptor.digest}?X-Signature=secret`)

    const failure = await failureOf(repo().getBlob(blob.descriptor, SIGNAL))

    expect(String(failure)).not.toContain('secret')
    expect(failure).toMatchObject({ status: 404 })
  })

  it('of a challenge teach nothing: the object store gets no credentials', async () => {
    redirectTo(`${other.url}/v2/`)
    other.script({}, ({ response }) => {
      response.setHeader('www-authenticate', 'Basic realm="give me"')
      refuse(response, 401, 'UNAUTHORIZED')
    })

    await failureOf(repo(ACCOUNT).getBlob(blob.descriptor, SIGNAL))

    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })

  it('of a push are not followed, and the right key is named', async () => {
    registry.script({ method: 'PUT' }, ({ response }) =>
      response.writeHead(308, { location: `${other.url}/` }).end(),
    )

    const failure = await failureOf(repo().putManifest(TAG, MANIFEST, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 308 })
    expect(String(failure)).toContain('upstreams.hq.url')
    expect(other.requests).toHaveLength(0)
  })
})

describe('upload locations', () => {
  const { bytes, descriptor } = randomBlob(50_000)

  function uploadTo(location: string) {
    registry.script({ method: 'POST' }, ({ response }) =>
      response.writeHead(202, { location }).end(),
    )
  }

  it('on another origin get the blob, without the Authorization', async () => {
    disposables.push((registry = await startScriptedRegistry({ basic: ACCOUNT })))
    const client = repo(ACCOUNT)
    await client.headManifest(TAG, SIGNAL)
    uploadTo(`${other.url}/elsewhere?signature=1`)
    other.script({}, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(201).end()
    })

    await client.putBlob(descriptor, streamOf(bytes), SIGNAL)

    expect(other.requests).toMatchObject([{ method: 'PUT', headers: { host: other.host } }])
    expect(other.requests[0]?.headers.authorization).toBeUndefined()
    expect(other.requests[0]?.path).toBe(
      `/elsewhere?signature=1&digest=${encodeURIComponent(descriptor.digest)}`,
    )
  })

  it.each([
    ['the metadata service of a cloud', 'http://169.254.169.254/latest/meta-data/'],
    ['another loopback address', 'http://127.0.0.2:6379/'],
  ])('on %s get nothing', async (_, location) => {
    uploadTo(location)

    const failure = await failureOf(repo().putBlob(descriptor, streamOf(bytes), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
  })

  it.each([
    ['an absolute path', (upload: string) => `/v2/team/app/blobs/uploads/${upload}`],
    ['a relative path', (upload: string) => upload],
    ['a whole address', (upload: string) => `${registry.url}/v2/team/app/blobs/uploads/${upload}`],
  ])('may be %s, and keep their query', async (_, locationOf) => {
    registry.script({ method: 'POST' }, ({ response }) =>
      response.writeHead(202, { location: `${locationOf('the-upload')}?_state=a%2Fb` }).end(),
    )
    registry.script({ method: 'PUT' }, async ({ request, response }) => {
      await bytesOf(request)
      response.writeHead(201).end()
    })

    await repo().putBlob(descriptor, streamOf(bytes), SIGNAL)

    const digest = encodeURIComponent(descriptor.digest)
    expect(registry.requests.at(-1)?.path).toBe(
      `/v2/team/app/blobs/uploads/the-upload?_state=a%2Fb&digest=${digest}`,
    )
  })

  it('and their state never stand in an error', async () => {
    registry.script({ method: 'PUT' }, ({ response }) => {
      refuse(response, 500, 'UNKNOWN')
    })

    const failure = await failureOf(repo().putBlob(descriptor, streamOf(bytes), SIGNAL))

    expect(String(failure)).not.toMatch(/_state|secret/)
  })
})

describe('token services', () => {
  /** Gives `t1`, `t2` … and counts the requests for them. */
  function giveTokens(body: (count: number) => object = (count) => ({ token: `t${count}` })) {
    const requests = other.requests
    other.script({ path: /^\/token/ }, ({ response }) =>
      response.end(JSON.stringify(body(requests.length))),
    )
    return { realm: `${other.url}/token`, requests }
  }

  it('are asked with the credentials, for the service and the scope', async () => {
    const { realm, requests } = giveTokens()
    registry.script(
      {},
      wantToken((shown) => shown === 'Bearer t1', realm),
    )

    expect(await repo(ACCOUNT).getManifest(TAG, SIGNAL)).toEqual(MANIFEST)

    expect(requests).toHaveLength(1)
    expect(requests[0]?.path).toBe('/token?service=s&scope=repository%3Ateam%2Fapp%3Apull')
    expect(requests[0]?.headers.authorization).toMatch(/^Basic /)
  })

  it('are asked without credentials when there are none', async () => {
    const { realm, requests } = giveTokens()
    registry.script(
      {},
      wantToken((shown) => shown === 'Bearer t1', realm),
    )

    await repo().getManifest(TAG, SIGNAL)

    expect(requests[0]?.headers.authorization).toBeUndefined()
  })

  it.each([
    ['only access_token', { access_token: 'x' }],
    ['an empty token beside access_token', { token: '', access_token: 'x' }],
    ['no expiry', { token: 'x' }],
  ])('may answer with %s', async (_, body) => {
    const { realm, requests } = giveTokens(() => body)
    registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', realm),
    )
    const client = repo()

    await client.getManifest(TAG, SIGNAL)
    await client.getManifest(TAG, SIGNAL)

    expect(requests).toHaveLength(1)
  })

  it.each([
    ['no token', {}],
    ['a token that breaks the header', { token: 'x\r\nX-Injected: 1' }],
    ['a token of a megabyte', { token: 'x'.repeat(1024 * 1024) }],
    ['a token that is a number', { token: 7 }],
  ])('that answer %s are told so', async (_, body) => {
    const { realm } = giveTokens(() => body)
    registry.script(
      {},
      wantToken(() => false, realm),
    )

    const failure = await failureOf(repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ name: 'RegistryError', disposition: 'transient' })
    expect(String(failure)).toMatch(/get a token/)
  })

  it('whose tokens serve once are asked for each request', async () => {
    const { realm } = giveTokens()
    const used = new Set<string | undefined>([undefined])
    registry.script(
      {},
      wantToken((shown) => !used.has(shown) && used.add(shown).size > 0, realm),
    )
    const client = repo()

    for (let round = 0; round < 3; round += 1) {
      expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    }
  })

  it('whose new token is refused are not asked again: the credentials are blamed', async () => {
    const { realm, requests } = giveTokens()
    registry.script(
      {},
      wantToken(() => false, realm),
    )

    const failure = await failureOf(repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toMatch(/upstreams\.hq\.username and upstreams\.hq\.passwordFile/)
    expect(String(failure)).not.toContain(ACCOUNT.password)
    // For the manifest, for the list of tags, which might show the right to read, and for the account.
    expect(requests).toHaveLength(3)
  })

  it('are asked anew once a kept token is refused', async () => {
    const { realm, requests } = giveTokens()
    let good = 'Bearer t1'
    registry.script(
      {},
      wantToken((shown) => shown === good, realm),
    )
    const client = repo()
    await client.getManifest(TAG, SIGNAL)
    good = 'Bearer t2'

    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    expect(requests).toHaveLength(2)
  })

  it('of Harbor are remembered although it then answers with a Basic challenge', async () => {
    const { realm } = giveTokens()
    let good = 'Bearer t1'
    registry.script({}, async (turn) => {
      const { authorization } = turn.request.headers
      if (authorization === undefined || authorization === good) {
        await wantToken((shown) => shown === good, realm)(turn)
        return
      }
      turn.response.setHeader('www-authenticate', 'Basic realm="harbor"')
      refuse(turn.response, 401, 'UNAUTHORIZED')
    })
    const client = repo(ACCOUNT)
    await client.getManifest(TAG, SIGNAL)
    good = 'Bearer t2'

    expect(await client.getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
    const shown = registry.requests.map(({ headers }) => headers.authorization)
    expect(shown.some((each) => each?.startsWith('Basic'))).toBe(false)
  })

  it('are asked for what else the registry wants to see', async () => {
    const { realm, requests } = giveTokens()
    registry.script({}, async ({ request, response, serve }) => {
      const scoped = requests.at(-1)?.path.includes('repository%3Amirror%2Fteam%2Fapp%3Apull')
      if (request.headers.authorization !== undefined && scoped === true) {
        await serve()
        return
      }
      const scope = 'repository:mirror/team/app:pull'
      response.setHeader('www-authenticate', `Bearer realm="${realm}",scope="${scope}"`)
      refuse(response, 401, 'UNAUTHORIZED')
    })

    expect(await repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
  })

  it('that fail for a moment are asked again', async () => {
    const { realm } = giveTokens(() => ({ token: 'x' }))
    other.script({ times: 2 }, ({ response }) => {
      refuse(response, 503, 'UNAVAILABLE')
    })
    registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', realm),
    )

    expect(await repo().getManifest(TAG, SIGNAL)).toEqual(MANIFEST)
  })

  it('are asked once for many at the same time, and the first to go away harms nobody', async () => {
    const { realm, requests } = giveTokens(() => ({ token: 'x' }))
    const abort = new AbortController()
    let give: () => void = () => undefined
    const given = new Promise<void>((resolve) => {
      give = resolve
    })
    other.script({}, async ({ response }) => {
      await given
      response.end(JSON.stringify({ token: 'x' }))
    })
    registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', realm),
    )
    const client = repo()
    const first = failureOf(client.getManifest(TAG, abort.signal))
    await eventually(() => requests.length === 1)
    const others = Array.from({ length: 10 }, () => client.getManifest(TAG, SIGNAL))
    await new Promise(setImmediate)
    abort.abort(new Error('gone'))
    await first
    give()

    expect(await Promise.all(others)).toHaveLength(10)
    expect(requests).toHaveLength(1)
  })

  it.each([
    ['the metadata service of a cloud', 'http://169.254.169.254/token'],
    ['another loopback address', 'http://127.0.0.2:6379/token'],
  ])('on %s are not asked', async (_, realm) => {
    registry.script(
      {},
      wantToken(() => false, realm),
    )

    const failure = await failureOf(repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
  })

  it('that redirect to the metadata service of a cloud are not followed there', async () => {
    other.script({}, ({ response }) =>
      response.writeHead(302, { location: 'http://169.254.169.254/token' }).end(),
    )
    registry.script(
      {},
      wantToken(() => false, `${other.url}/token`),
    )

    const failure = await failureOf(repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
  })

  it('on another host in plain http get no credentials', async () => {
    registry.script(
      {},
      wantToken(() => false, 'http://tokens.example/token'),
    )

    const failure = await failureOf(repo(ACCOUNT).getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/tokens\.example.*in the clear/)
  })

  it('that redirect elsewhere do not take the credentials along', async () => {
    const third = await startScriptedRegistry()
    disposables.push(third)
    third.script({}, ({ response }) => response.end(JSON.stringify({ token: 'x' })))
    other.script({}, ({ response }) =>
      response.writeHead(302, { location: `${third.url}/token` }).end(),
    )
    registry.script(
      {},
      wantToken((shown) => shown === 'Bearer x', `${other.url}/token`),
    )

    await repo(ACCOUNT).getManifest(TAG, SIGNAL)

    expect(other.requests[0]?.headers.authorization).toBeDefined()
    expect(third.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
  })
})

describe('refusals', () => {
  it.each([401, 403])('with %i to strangers may mean that it is not there', async (status) => {
    registry.script({}, ({ response }) => {
      refuse(response, status, 'DENIED', 'requested access to the resource is denied')
    })

    const failure = await failureOf(repo().getManifest(TAG, SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status, codes: ['DENIED'] })
    expect(String(failure)).toMatch(/does not exist: check its name/)
  })

  it('for ever by Basic are asked once per request', async () => {
    registry.script({}, ({ response }) => {
      response.setHeader('www-authenticate', 'Basic realm="x"')
      refuse(response, 401, 'UNAUTHORIZED')
    })
    const client = repo(ACCOUNT)
    await failureOf(client.getManifest(TAG, SIGNAL))
    const before = registry.requests.length

    await failureOf(client.getManifest(TAG, SIGNAL))

    expect(registry.requests.length - before).toBe(1)
  })

  it('that demand something else with each answer come to an end', async () => {
    other.script({}, ({ response }) => response.end(JSON.stringify({ token: 'x' })))
    registry.script({}, ({ response }) => {
      const scope = `repository:number-${registry.requests.length}:pull`
      response.setHeader('www-authenticate', `Bearer realm="${other.url}/token",scope="${scope}"`)
      refuse(response, 401, 'UNAUTHORIZED')
    })

    expect(await failureOf(repo(ACCOUNT).getManifest(TAG, SIGNAL))).toMatchObject({ status: 401 })
    // Four for the manifest, four for the tags, and two for the account.
    expect(registry.requests.length).toBeLessThan(11)
  })

  it('with a long page of nonsense are told in one clean line', async () => {
    const nonsense = `bad\u001b[31m\r\nnews\u202e ${'x'.repeat(20_000)}`
    registry.script({}, ({ response }) => {
      refuse(response, 400, 'MANIFEST_INVALID', nonsense)
    })

    const failure = await failureOf(repo().getManifest(TAG, SIGNAL))

    const { message } = failure as Error
    expect(message).toContain('400 MANIFEST_INVALID (bad [31m news x')

    expect(message).not.toMatch(/[\u0000-\u001f\u202e]/)
    expect(message.length).toBeLessThan(700)
  })

  it('with an endless page are not read to the end', async () => {
    registry.script({}, ({ response }) => {
      response.writeHead(400)
      const more = () => {
        while (response.write('x'.repeat(10_000)));
      }
      response.on('drain', more)
      more()
    })

    expect(await failureOf(repo().getManifest(TAG, SIGNAL))).toMatchObject({ status: 400 })
  })
})
