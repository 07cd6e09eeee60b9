import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeCertificate } from '../support/network/certificate.ts'
import { startRegistry, type TestRegistry } from '../support/registry/docker-registry.ts'
import { startScriptedRegistry } from '../support/registry/scripted-registry.ts'
import { tempFolder } from '../support/process/temp-folder.ts'
import { startTokenService, type TokenService } from '../support/registry/token-service.ts'
import {
  configFor,
  failureOf,
  open,
  randomBlob,
  reference,
  repository,
  SIGNAL,
  streamOf,
} from './contract-content.ts'
import { registryContract, type Subject } from './registry.contract.ts'

const ACCOUNT = { username: 'pusher', password: 'correct-horse' } as const
/** Of the token service, which is at another port. */
const TRUSTED = { trustedHosts: ['127.0.0.1'] }

registryContract('a scripted registry', startScripted)
registryContract('a scripted registry that wants a password', startScriptedWithPassword)
registryContract('docker-registry', startPlain)
registryContract('docker-registry that wants a password', startWithPassword)
registryContract('docker-registry that wants tokens', startWithTokens)
registryContract('docker-registry behind TLS with an authority of its own', startWithTls)

async function startScripted(): Promise<Subject> {
  const registry = await startScriptedRegistry()
  return {
    config: configFor(registry.url),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

async function startScriptedWithPassword(): Promise<Subject> {
  const registry = await startScriptedRegistry({ basic: ACCOUNT })
  return {
    config: configFor(registry.url, { ...ACCOUNT, ...TRUSTED }),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

async function startPlain(): Promise<Subject> {
  const registry = await startRegistry()
  return {
    config: configFor(registry.url),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

async function startWithPassword(): Promise<Subject> {
  const registry = await startRegistry({ htpasswd: ACCOUNT })
  return {
    config: configFor(registry.url, { ...ACCOUNT, ...TRUSTED }),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  }
}

async function startWithTokens(): Promise<Subject> {
  const tokens = await startTokenService(ACCOUNT)
  const registry = await startRegistry({ tokenAuth: tokens.tokenAuth })
  return {
    config: configFor(registry.url, { ...ACCOUNT, ...TRUSTED }),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await tokens[Symbol.asyncDispose]()
    },
  }
}

async function startWithTls(): Promise<Subject> {
  const folder = await tempFolder('tls')
  const { caFile, ...files } = await makeCertificate(folder.path)
  const registry = await startRegistry({ tls: files })
  return {
    config: configFor(registry.url, { ca: await readFile(caFile, 'utf8') }),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}

describe('docker-registry that wants a password', () => {
  let registry: TestRegistry
  beforeAll(async () => {
    registry = await startRegistry({ htpasswd: ACCOUNT })
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
  })

  it('is asked without one only once', async () => {
    await using client = open(configFor(registry.url, ACCOUNT))
    const repo = client.repository(repository('team/app'))

    for (const tag of ['a', 'b', 'c']) await repo.headManifest(reference(tag), SIGNAL)

    const statuses = registry.requests({ method: 'HEAD' }).map(({ status }) => status)
    expect(statuses.filter((status) => status === 401)).toHaveLength(1)
  })

  it('refuses a wrong one, and whose it is is said', async () => {
    await using client = open(
      configFor(registry.url, { ...ACCOUNT, id: 'hq', password: 'battery-staple' }),
    )

    const failure = await failureOf(client.check(SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toMatch(/upstream "hq".*401 UNAUTHORIZED.*upstreams\.hq\.passwordFile/)
    expect(String(failure)).not.toContain('battery-staple')
  })

  it('refuses none at all, and which keys to set is said', async () => {
    await using client = open(configFor(registry.url))

    const failure = await failureOf(client.check(SIGNAL))

    expect(String(failure)).toMatch(/Set local\.username and local\.passwordFile/)
  })
})

describe('docker-registry that wants tokens', () => {
  let tokens: TokenService
  let registry: TestRegistry
  beforeAll(async () => {
    tokens = await startTokenService({ ...ACCOUNT, lenient: true })
    registry = await startRegistry({ tokenAuth: tokens.tokenAuth })
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await tokens[Symbol.asyncDispose]()
  })

  it('gets by with one token for all that is done at once in one repository', async () => {
    await using client = open(configFor(registry.url, { ...ACCOUNT, ...TRUSTED }))
    const repo = client.repository(repository('team/many'))
    const before = tokens.requests.length

    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const { bytes, descriptor } = randomBlob(1_000 + index)
        await repo.hasBlob(descriptor.digest, SIGNAL)
        await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)
      }),
    )

    expect(tokens.requests.slice(before)).toMatchObject([
      { scopes: ['repository:team/many:pull,push'], userAgent: 'pullsync/test' },
    ])
  })

  it('is found out to refuse a wrong password although it gives anonymous tokens for it', async () => {
    await using client = open(
      configFor(registry.url, { ...ACCOUNT, ...TRUSTED, password: 'wrong' }),
    )

    const failure = await failureOf(client.check(SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toMatch(/get a token of the local registry.*local\.passwordFile/)
  })

  it('answers a token that allows too little with 401, which is final', async () => {
    await using client = open(
      configFor(registry.url, { ...ACCOUNT, ...TRUSTED, id: 'hq', password: 'wrong' }),
    )
    const repo = client.repository(repository('team/app'))

    const failure = await failureOf(repo.getManifest(reference('1.0'), SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 401 })
    expect(String(failure)).toContain('upstreams.hq.username')
  })
})

describe('docker-registry behind TLS with an authority of its own', () => {
  it('is not trusted unless the authority is configured, and the key for that is named', async () => {
    await using folder = await tempFolder('tls')
    const { certFile, keyFile } = await makeCertificate(folder.path)
    await using registry = await startRegistry({ tls: { certFile, keyFile } })
    await using client = open(configFor(registry.url, { id: 'hq' }))

    const failure = await failureOf(client.check(SIGNAL))

    expect(failure).toMatchObject({ disposition: 'permanent' })
    expect(String(failure)).toMatch(/certificate.*upstreams\.hq\.caFile/)
  })

  it('tells that it speaks TLS when it is addressed in plain http', async () => {
    await using folder = await tempFolder('tls')
    const { certFile, keyFile } = await makeCertificate(folder.path)
    await using registry = await startRegistry({ tls: { certFile, keyFile } })
    await using client = open(configFor(registry.url.replace('https:', 'http:')))

    expect(String(await failureOf(client.check(SIGNAL)))).toMatch(/write https:\/\/ in local\.url/)
  })

  it('is told in plain words that a registry does not speak TLS', async () => {
    await using registry = await startRegistry()
    await using client = open(configFor(registry.url.replace('http:', 'https:')))

    expect(String(await failureOf(client.check(SIGNAL)))).toMatch(
      /got no answer from 127\.0\.0\.1:\d+: wrong version number \(EPROTO\)\. The server does not speak TLS/,
    )
  })
})

describe('docker-registry that refuses what it is asked for', () => {
  it('is waited for while it is in its read-only mode', async () => {
    await using registry = await startRegistry({ readOnly: true })
    await using client = open(configFor(registry.url))

    const failure = await failureOf(pushBlobTo(client))

    expect(failure).toMatchObject({ disposition: 'parked', status: 405 })
    expect(String(failure)).toMatch(/read-only mode/)
  })

  it('is given up when it is a pull-through cache', async () => {
    await using upstream = await startRegistry()
    await using registry = await startRegistry({ proxyOf: upstream.url })
    await using client = open(configFor(registry.url))

    const failure = await failureOf(pushBlobTo(client))

    expect(failure).toMatchObject({ disposition: 'permanent', status: 405 })
    expect(String(failure)).toMatch(/a pull-through cache takes no pushes/)
  })
})

async function pushBlobTo(client: ReturnType<typeof open>): Promise<void> {
  const { descriptor, bytes } = randomBlob(1_000)
  await client.repository(repository('team/app')).putBlob(descriptor, streamOf(bytes), SIGNAL)
}
