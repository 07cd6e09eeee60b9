import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RegistryConfig } from '../../src/config/config.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { eventually } from '../support/eventually.ts'
import {
  refuse,
  type ScriptedRegistry,
  startScriptedRegistry,
  type Turn,
} from '../support/scripted-registry.ts'
import { tempFolder, type TempFolder } from '../support/temp-folder.ts'
import {
  configFor,
  failureOf,
  manifestOf,
  open,
  reference,
  repository,
  SIGNAL,
} from './contract-content.ts'

const ACCOUNT = { username: 'robot', password: 'very-secret' }
const MANIFEST = manifestOf({ layers: [] })
const TAG = reference('1.0')

let registry: ScriptedRegistry
let tokens: ScriptedRegistry
let folder: TempFolder
let clients: Registry[]

beforeEach(async () => {
  registry = await startScriptedRegistry()
  tokens = await startScriptedRegistry()
  folder = await tempFolder('credentials')
  clients = []
  registry.addManifest('team/app', '1.0', MANIFEST.bytes, MANIFEST.mediaType)
})

afterEach(async () => {
  for (const each of [...clients, registry, tokens, folder]) await each[Symbol.asyncDispose]()
})

function connect(more: Partial<RegistryConfig> = {}): Registry {
  const client = open(configFor(registry.url, { id: 'hq', trustedHosts: ['127.0.0.1'], ...more }))
  clients.push(client)
  return client
}

async function pull(client: Registry) {
  return await client.repository(repository('team/app')).getManifest(TAG, SIGNAL)
}

/** A registry that takes these tokens only, and otherwise answers with these challenges. */
function wantToken(isGood: (shown: string | undefined) => boolean, challenges: string | string[]) {
  registry.script({}, async ({ request, response, serve }: Turn) => {
    if (isGood(request.headers.authorization)) {
      await serve()
      return
    }
    response.setHeader('www-authenticate', challenges)
    refuse(response, 401, 'UNAUTHORIZED')
  })
}

interface Asked {
  readonly method: string
  readonly query: URLSearchParams
  readonly form: URLSearchParams
  readonly authorization: string | undefined
}

/** A token service that gives `t1`, `t2` …; returns what it was asked. */
function giveTokens(
  answer: (count: number, turn: Turn) => object | undefined = (count) => ({ token: `t${count}` }),
): Asked[] {
  const asked: Asked[] = []
  tokens.script({}, async (turn) => {
    const { request, response } = turn
    asked.push({
      method: request.method ?? '',
      query: new URL(request.url ?? '', tokens.url).searchParams,
      form: new URLSearchParams(await text(request)),
      authorization: request.headers.authorization,
    })
    const body = answer(asked.length, turn)
    if (body === undefined) refuse(response, 405, 'UNSUPPORTED')
    else response.end(JSON.stringify(body))
  })
  return asked
}

/** As the distribution project's tokens look; nobody here verifies them. */
function jwt(access: readonly object[], id = 0): string {
  const part = (claims: object) => Buffer.from(JSON.stringify(claims)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ access, id })}.x`
}

async function dockerConfig(entry: object): Promise<Partial<RegistryConfig>> {
  const file = join(folder.path, 'config.json')
  await writeFile(file, JSON.stringify({ auths: { [registry.host]: entry } }))
  return { credentials: { kind: 'docker-config', file } }
}

describe('an identity token', () => {
  it.each([
    ['of a docker config', { identitytoken: 'refresh-me' }],
    ['of a docker config, as a login', { username: '<token>', password: 'refresh-me' }],
  ])('%s is exchanged by POST for an access token', async (_, entry) => {
    const asked = giveTokens((count) => ({ access_token: `t${count}`, expires_in: 300 }))
    wantToken((shown) => shown === 'Bearer t1', `Bearer realm="${tokens.url}/t",service="s s"`)

    expect(await pull(connect(await dockerConfig(entry)))).toEqual(MANIFEST)

    expect(asked.map(({ method }) => method)).toEqual(['POST'])
    expect(Object.fromEntries(asked[0]?.form ?? [])).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-me',
      client_id: 'pullsync',
      service: 's s',
      scope: 'repository:team/app:pull',
    })
    expect(asked[0]?.authorization).toBeUndefined()
  })

  it('of the configuration is marked by its username', async () => {
    const asked = giveTokens()
    wantToken((shown) => shown === 'Bearer t1', `Bearer realm="${tokens.url}/t"`)

    await pull(connect({ username: '<token>', password: 'refresh-me' }))

    expect(asked[0]?.form.get('refresh_token')).toBe('refresh-me')
  })

  it('that is refused is told with its key, and without itself', async () => {
    tokens.script({}, ({ response }) => response.writeHead(400).end('{"error":"invalid_grant"}'))
    wantToken(() => false, `Bearer realm="${tokens.url}/t"`)

    const failure = await failureOf(
      pull(connect(await dockerConfig({ identitytoken: 'refresh-me' }))),
    )

    expect(failure).toMatchObject({ disposition: 'permanent', status: 400 })
    expect(String(failure)).toMatch(/get a token.*invalid_grant.*upstreams\.hq\.dockerConfig/)
    expect(String(failure)).not.toContain('refresh-me')
  })

  it('is of no use to a registry that wants a password, which is said', async () => {
    wantToken(() => false, 'Basic realm="r"')

    const failure = await failureOf(
      pull(connect(await dockerConfig({ identitytoken: 'refresh-me' }))),
    )

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/upstreams\.hq\.dockerConfig has an identity token/)
  })
})

describe('a token service that takes POST only', () => {
  it('gets the password in a form, and is asked by GET only once', async () => {
    const asked = giveTokens((count, { request }) =>
      request.method === 'POST' ? { access_token: `t${count}` } : undefined,
    )
    wantToken((shown) => shown?.startsWith('Bearer t') ?? false, `Bearer realm="${tokens.url}/t"`)
    const client = connect(ACCOUNT)

    await pull(client)
    await client.repository(repository('team/other')).headManifest(TAG, SIGNAL)

    expect(asked.map(({ method }) => method)).toEqual(['GET', 'POST', 'POST'])
    expect(Object.fromEntries(asked[1]?.form ?? [])).toMatchObject({
      ...ACCOUNT,
      grant_type: 'password',
    })
  })

  it('is not posted to by strangers', async () => {
    const asked = giveTokens(() => undefined)
    wantToken(() => false, `Bearer realm="${tokens.url}/t"`)

    expect(await failureOf(pull(connect()))).toMatchObject({ status: 405 })
    expect(asked.map(({ method }) => method)).toEqual(['GET'])
  })
})

describe('a token service that grants less than was asked', () => {
  const wanted = 'repository:team/app:pull'

  it.each([
    ['a token that allows nothing', (id: number) => ({ token: jwt([], id) })],
    [
      'a token that allows something else',
      (id: number) => ({
        token: jwt([{ type: 'repository', name: 'team/app', actions: ['push'] }], id),
      }),
    ],
    ['less, as OAuth2 tells it', (id: number) => ({ access_token: `t${id}`, scope: '' })],
  ])('with %s is asked once more, then what it did is told', async (_, answer) => {
    const asked = giveTokens(answer)
    wantToken(() => false, `Bearer realm="${tokens.url}/t"`)

    const failure = await failureOf(pull(connect(ACCOUNT)))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toContain(`the token service had granted less than ${wanted}.`)
    // For the manifest, for the tags that might show the right to read, and once for the account alone.
    expect(asked).toHaveLength(5)
  })

  it('at first only is given the second chance', async () => {
    const good = jwt([{ type: 'repository', name: 'team/app', actions: ['*'] }])
    giveTokens((count) => ({ token: count === 1 ? jwt([]) : good }))
    wantToken((shown) => shown === `Bearer ${good}`, `Bearer realm="${tokens.url}/t"`)

    expect(await pull(connect(ACCOUNT))).toEqual(MANIFEST)
  })

  it('but enough for the registry is left alone', async () => {
    const asked = giveTokens(() => ({ token: jwt([]) }))
    wantToken((shown) => shown !== undefined, `Bearer realm="${tokens.url}/t"`)

    expect(await pull(connect(ACCOUNT))).toEqual(MANIFEST)
    expect(asked).toHaveLength(1)
  })
})

describe('several scopes', () => {
  const challenge = () =>
    `Bearer realm="${tokens.url}/t",scope="repository:a:pull repository:b:pull,push"`
  const scopes = ['repository:team/app:pull', 'repository:a:pull', 'repository:b:pull,push']

  it('are asked for in one request', async () => {
    const asked = giveTokens()
    wantToken((shown) => shown === 'Bearer t1', challenge())

    await pull(connect(ACCOUNT))

    expect(asked.map(({ query }) => query.getAll('scope'))).toEqual([scopes])
  })

  it('stand in one field of a form', async () => {
    const asked = giveTokens()
    wantToken((shown) => shown === 'Bearer t1', challenge())

    await pull(connect(await dockerConfig({ identitytoken: 'x' })))

    expect(asked.map(({ form }) => form.getAll('scope'))).toEqual([[scopes.join(' ')]])
  })
})

describe('a token that ends in the middle of a job', () => {
  it('is renewed before it does, by its lifetime as the service told it', async () => {
    const asked = giveTokens((count) => ({ token: `t${count}`, expires_in: 0.05 }))
    wantToken((shown) => shown?.startsWith('Bearer t') ?? false, `Bearer realm="${tokens.url}/t"`)
    const client = connect(ACCOUNT)
    await pull(client)
    const refused = () => registry.requests.filter(({ headers }) => !headers.authorization)

    await eventually(async () => {
      await pull(client)
      return asked.length > 1
    })

    expect(refused()).toHaveLength(1)
  })
})

describe('challenges', () => {
  const bearer = (more = '') => `Bearer realm="${tokens.url}/t"${more}`

  it.each([
    ['Docker Hub', () => bearer(',service="registry.docker.io"'), 'service=registry.docker.io'],
    ['GitLab', () => bearer(',service="container_registry"'), 'service=container_registry'],
    ['Harbor', () => bearer(',service="harbor-registry"'), 'service=harbor-registry'],
    ['Quay', () => bearer(',service="quay.io"'), 'service=quay.io'],
    ['Artifactory', () => bearer(',service="a, b"'), 'service=a%2C+b'],
    ['one without a service', () => bearer(), ''],
    [
      'a realm with a query',
      () => `Bearer realm="${tokens.url}/t?account=a%20b",service="s"`,
      'account=a%20b&service=s',
    ],
    ['other letters', () => `bEARER ReAlM="${tokens.url}/t", SERVICE = s`, 'service=s'],
    ['Bearer before Basic', () => `${bearer(',service="s"')}, Basic realm="r"`, 'service=s'],
    ['Basic before Bearer', () => `Basic realm="r", ${bearer(',service="s"')}`, 'service=s'],
    ['two headers', () => ['Basic realm="r"', bearer(',service="s"')], 'service=s'],
    ['something else first', () => ['Negotiate abc==', bearer(',service="s"')], 'service=s'],
  ])('as of %s lead to the token service', async (_, challenge, query) => {
    const asked = giveTokens()
    wantToken((shown) => shown === 'Bearer t1', challenge())

    expect(await pull(connect(ACCOUNT))).toEqual(MANIFEST)

    expect(asked).toHaveLength(1)
    const scope = 'scope=repository%3Ateam%2Fapp%3Apull'
    expect(tokens.requests[0]?.path).toBe(`/t?${query === '' ? '' : `${query}&`}${scope}`)
  })

  it('as of GHCR, which names a repository of nobody, are met without it by a check', async () => {
    const asked = giveTokens()
    const challenge = bearer(',service="ghcr.io",scope="repository:user/image:pull"')
    wantToken((shown) => shown === 'Bearer t1', challenge)

    await connect(ACCOUNT).check(SIGNAL)

    expect(asked.map(({ query }) => query.getAll('scope'))).toEqual([[]])
  })

  it('as of ECR are met with the password itself', async () => {
    const basic = `Basic ${Buffer.from('AWS:token').toString('base64')}`
    wantToken((shown) => shown === basic, 'Basic realm="https://e/",service="ecr.amazonaws.com"')

    expect(await pull(connect({ username: 'AWS', password: 'token' }))).toEqual(MANIFEST)
  })
})

describe('an access token', () => {
  it.each([
    ['Bearer', () => `Bearer realm="${tokens.url}/t"`],
    ['Basic', () => 'Basic realm="r"'],
  ])('in a file is shown to a registry that wants %s', async (_, challenge) => {
    const file = join(folder.path, 'token')
    await writeFile(file, 'from-the-file\n')
    wantToken((shown) => shown === 'Bearer from-the-file', challenge())

    expect(await pull(connect({ credentials: { kind: 'access-token', file } }))).toEqual(MANIFEST)
    expect(tokens.requests).toEqual([])
  })

  it('in a file is the password of the user who is named', async () => {
    const file = join(folder.path, 'token')
    await writeFile(file, 'from-the-file\n')
    const asked = giveTokens()
    wantToken((shown) => shown === 'Bearer t1', `Bearer realm="${tokens.url}/t"`)

    await pull(connect({ username: 'u', credentials: { kind: 'access-token', file } }))

    const login = Buffer.from('u:from-the-file').toString('base64')
    expect(asked[0]?.authorization).toBe(`Basic ${login}`)
  })

  it('in a file that is swapped is read again', async () => {
    const file = join(folder.path, 'token')
    await writeFile(file, 'old')
    let good = 'Bearer old'
    wantToken((shown) => shown === good, 'Bearer realm="/t"')
    const client = connect({ credentials: { kind: 'access-token', file } })
    await pull(client)

    await writeFile(`${file}.new`, 'new')
    await rename(`${file}.new`, file)
    good = 'Bearer new'

    expect(await eventually(() => pull(client))).toEqual(MANIFEST)
  })

  it.each([
    ['is gone', undefined, /accessTokenFile \S+: there is no such file/],
    ['is empty', '\n', /accessTokenFile \S+: it is empty/],
    ['holds two lines', 'a\nb', /accessTokenFile \S+ holds something else than one token/],
  ])('in a file that %s is told by a check', async (_, content, what) => {
    const file = join(folder.path, 'token')
    if (content !== undefined) await writeFile(file, content)

    const failure = await failureOf(
      connect({ credentials: { kind: 'access-token', file } }).check(SIGNAL),
    )

    expect(String(failure)).toMatch(what)
    expect(String(failure)).toContain('upstreams.hq.accessTokenFile')
  })
})

describe('a docker config', () => {
  it('that is written anew brings new credentials, once the old ones are refused', async () => {
    const config = await dockerConfig({ username: 'u', password: 'old' })
    const basic = (password: string) => `Basic ${Buffer.from(`u:${password}`).toString('base64')}`
    let good = basic('old')
    wantToken((shown) => shown === good, 'Basic realm="r"')
    const client = connect(config)
    await pull(client)

    await dockerConfig({ username: 'u', password: 'new' })
    good = basic('new')

    expect(await eventually(() => pull(client))).toEqual(MANIFEST)
  })

  it.each([
    ['for all registries', () => ({ credsStore: 'fake' })],
    ['for this one', () => ({ credHelpers: { [registry.host]: 'fake' }, credsStore: 'other' })],
  ])('with a credential helper %s gets the credentials of it', async (_, config) => {
    const helper = join(folder.path, 'docker-credential-fake')
    const asked = join(folder.path, 'asked')
    const answer = '{"Username":"u","Secret":"of-the-helper"}'
    await writeFile(helper, `#!/bin/sh\ncat > '${asked}'\necho '${answer}'\n`)
    await chmod(helper, 0o700)
    vi.stubEnv('PATH', `${folder.path}:${process.env['PATH'] ?? ''}`)
    const file = join(folder.path, 'config.json')
    await writeFile(file, JSON.stringify({ auths: { [registry.host]: {} }, ...config() }))
    const login = `Basic ${Buffer.from('u:of-the-helper').toString('base64')}`
    wantToken((shown) => shown === login, 'Basic realm="r"')

    try {
      const client = connect({ credentials: { kind: 'docker-config', file } })
      expect(await pull(client)).toEqual(MANIFEST)
    } finally {
      vi.unstubAllEnvs()
    }

    expect(await readFile(asked, 'utf8')).toContain(registry.host)
  })

  it('without this registry is told by a check, with what it has', async () => {
    const file = join(folder.path, 'config.json')
    await writeFile(file, '{"auths":{"ghcr.io":{"auth":"c2VjcmV0"},"https://quay.io/v1/":{}}}')

    const failure = await failureOf(
      connect({ credentials: { kind: 'docker-config', file } }).check(SIGNAL),
    )

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toContain(
      `upstreams.hq.dockerConfig ${file} has no credentials for ${registry.host}; it has ghcr.io, quay.io.`,
    )
    expect(String(failure)).not.toContain('c2VjcmV0')
  })
})
