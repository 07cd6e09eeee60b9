import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { RegistryError } from '../../../src/registry/errors/registry-error.ts'
import { eventually } from '../../support/eventually.ts'
import { failureOf, SIGNAL } from '../contract-content.ts'
import { ACCOUNT, MANIFEST, pull, tokenSite, type TokenSite } from './token-site.ts'

let site: TokenSite

beforeEach(async () => {
  site = await tokenSite()
})

afterEach(() => site[Symbol.asyncDispose]())

describe('challenges', () => {
  const bearer = (more = '') => `Bearer realm="${site.tokens.url}/t"${more}`

  it.each([
    ['Docker Hub', () => bearer(',service="registry.docker.io"'), 'service=registry.docker.io'],
    ['GitLab', () => bearer(',service="container_registry"'), 'service=container_registry'],
    ['Harbor', () => bearer(',service="harbor-registry"'), 'service=harbor-registry'],
    ['Quay', () => bearer(',service="quay.io"'), 'service=quay.io'],
    ['Artifactory', () => bearer(',service="a, b"'), 'service=a%2C+b'],
    ['one without a service', () => bearer(), ''],
    [
      'a realm with a query',
      () => `Bearer realm="${site.tokens.url}/t?account=a%20b",service="s"`,
      'account=a%20b&service=s',
    ],
    ['other letters', () => `bEARER ReAlM="${site.tokens.url}/t", SERVICE = s`, 'service=s'],
    ['Bearer before Basic', () => `${bearer(',service="s"')}, Basic realm="r"`, 'service=s'],
    ['Basic before Bearer', () => `Basic realm="r", ${bearer(',service="s"')}`, 'service=s'],
    ['two headers', () => ['Basic realm="r"', bearer(',service="s"')], 'service=s'],
    ['something else first', () => ['Negotiate abc==', bearer(',service="s"')], 'service=s'],
  ])('as of %s lead to the token service', async (_, challenge, query) => {
    const asked = site.giveTokens()
    site.wantToken((shown) => shown === 'Bearer t1', challenge())

    expect(await pull(site.connect(ACCOUNT))).toEqual(MANIFEST)

    expect(asked).toHaveLength(1)
    const scope = 'scope=repository%3Ateam%2Fapp%3Apull'
    expect(site.tokens.requests[0]?.path).toBe(`/t?${query === '' ? '' : `${query}&`}${scope}`)
  })

  it('as of GHCR, which names a repository of nobody, are met without it by a check', async () => {
    const asked = site.giveTokens()
    const challenge = bearer(',service="ghcr.io",scope="repository:user/image:pull"')
    site.wantToken((shown) => shown === 'Bearer t1', challenge)

    await site.connect(ACCOUNT).check(SIGNAL)

    expect(asked.map(({ query }) => query.getAll('scope'))).toEqual([[]])
  })

  it('as of ECR are met with the password itself', async () => {
    const basic = `Basic ${Buffer.from('AWS:token').toString('base64')}`
    site.wantToken(
      (shown) => shown === basic,
      'Basic realm="https://e/",service="ecr.amazonaws.com"',
    )

    expect(await pull(site.connect({ username: 'AWS', password: 'token' }))).toEqual(MANIFEST)
  })
})

describe('an access token', () => {
  it.each([
    ['Bearer', () => `Bearer realm="${site.tokens.url}/t"`],
    ['Basic', () => 'Basic realm="r"'],
  ])('in a file is shown to a registry that wants %s', async (_, challenge) => {
    const file = join(site.folder.path, 'token')
    await writeFile(file, 'from-the-file\n')
    site.wantToken((shown) => shown === 'Bearer from-the-file', challenge())

    expect(await pull(site.connect({ credentials: { kind: 'access-token', file } }))).toEqual(
      MANIFEST,
    )
    expect(site.tokens.requests).toEqual([])
  })

  it('in a file is the password of the user who is named', async () => {
    const file = join(site.folder.path, 'token')
    await writeFile(file, 'from-the-file\n')
    const asked = site.giveTokens()
    site.wantToken((shown) => shown === 'Bearer t1', `Bearer realm="${site.tokens.url}/t"`)

    await pull(site.connect({ username: 'u', credentials: { kind: 'access-token', file } }))

    const login = Buffer.from('u:from-the-file').toString('base64')
    expect(asked[0]?.authorization).toBe(`Basic ${login}`)
  })

  it('in a file that is swapped is read again', async () => {
    const file = join(site.folder.path, 'token')
    await writeFile(file, 'old')
    let good = 'Bearer old'
    site.wantToken((shown) => shown === good, 'Bearer realm="/t"')
    const client = site.connect({ credentials: { kind: 'access-token', file } })
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
    const file = join(site.folder.path, 'token')
    if (content !== undefined) await writeFile(file, content)

    const failure = await failureOf(
      site.connect({ credentials: { kind: 'access-token', file } }).check(SIGNAL),
    )

    expect(String(failure)).toMatch(what)
    expect(String(failure)).toContain('upstreams.hq.accessTokenFile')
  })

  it('in a file that is gone is an outage of its registry, and no failure of an image', async () => {
    const file = join(site.folder.path, 'token')
    const client = site.connect({ credentials: { kind: 'access-token', file } })
    site.wantToken(() => false, 'Basic realm="r"')

    const failure = await failureOf(pull(client))

    expect(failure instanceof RegistryError && failure.outage).toMatchObject({
      registry: 'hq',
      kind: 'down',
    })
  })
})

describe('a docker config', () => {
  it('that is written anew brings new credentials, once the old ones are refused', async () => {
    const config = await site.dockerConfig({ username: 'u', password: 'old' })
    const basic = (password: string) => `Basic ${Buffer.from(`u:${password}`).toString('base64')}`
    let good = basic('old')
    site.wantToken((shown) => shown === good, 'Basic realm="r"')
    const client = site.connect(config)
    await pull(client)

    await site.dockerConfig({ username: 'u', password: 'new' })
    good = basic('new')

    expect(await eventually(() => pull(client))).toEqual(MANIFEST)
  })

  it.each([
    ['for all registries', () => ({ credsStore: 'fake' })],
    [
      'for this one',
      () => ({ credHelpers: { [site.registry.host]: 'fake' }, credsStore: 'other' }),
    ],
  ])('with a credential helper %s gets the credentials of it', async (_, config) => {
    const helper = join(site.folder.path, 'docker-credential-fake')
    const asked = join(site.folder.path, 'asked')
    const answer = '{"Username":"u","Secret":"of-the-helper"}'
    await writeFile(helper, `#!/bin/sh\ncat > '${asked}'\necho '${answer}'\n`)
    await chmod(helper, 0o700)
    vi.stubEnv('PATH', `${site.folder.path}:${process.env['PATH'] ?? ''}`)
    const file = join(site.folder.path, 'config.json')
    await writeFile(file, JSON.stringify({ auths: { [site.registry.host]: {} }, ...config() }))
    const login = `Basic ${Buffer.from('u:of-the-helper').toString('base64')}`
    site.wantToken((shown) => shown === login, 'Basic realm="r"')

    try {
      const client = site.connect({ credentials: { kind: 'docker-config', file } })
      expect(await pull(client)).toEqual(MANIFEST)
    } finally {
      vi.unstubAllEnvs()
    }

    expect(await readFile(asked, 'utf8')).toContain(site.registry.host)
  })

  it('without this registry is told by a check, with what it has', async () => {
    const file = join(site.folder.path, 'config.json')
    await writeFile(file, '{"auths":{"ghcr.io":{"auth":"c2VjcmV0"},"https://quay.io/v1/":{}}}')

    const failure = await failureOf(
      site.connect({ credentials: { kind: 'docker-config', file } }).check(SIGNAL),
    )

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toContain(
      `upstreams.hq.dockerConfig ${file} has no credentials for ${site.registry.host}; it has ghcr.io, quay.io.`,
    )
    expect(String(failure)).not.toContain('c2VjcmV0')
  })

  it('with a part of this registry alone is told that it is no account for all of it', async () => {
    const file = join(site.folder.path, 'config.json')
    const part = `${site.registry.host}/acme`
    await writeFile(file, JSON.stringify({ auths: { [part]: { username: 'u', password: 'p' } } }))

    const failure = await failureOf(
      site.connect({ credentials: { kind: 'docker-config', file } }).check(SIGNAL),
    )

    expect(String(failure)).toContain(
      `it has ${part}; ${part} is for some of its images, and is not shown for others.`,
    )
  })
})
