import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RegistryConfig } from '../../../src/config/config.ts'
import { type CertificateFiles, makeCertificate } from '../../support/network/certificate.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { type ProxyOptions, startProxy, type TestProxy } from '../../support/network/proxy.ts'
import {
  type ScriptedRegistry,
  startScriptedRegistry,
} from '../../support/registry/scripted-registry.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import {
  bytesOf,
  configFor,
  failureOf,
  open,
  randomBlob,
  repository,
  SIGNAL,
  streamOf,
} from '../contract-content.ts'

const LOGIN = { username: 'us er', password: 'p@ss:word' }
const ADDRESS = 'us%20er:p%40ss:word@'

let folder: TempFolder
let certificate: CertificateFiles
let secure: TestRegistry
let plain: ScriptedRegistry
let disposables: AsyncDisposable[]

beforeEach(async () => {
  folder = await tempFolder('proxy')
  certificate = await makeCertificate(folder.path, { names: 'DNS:registry.test' })
  secure = await startRegistry({ tls: certificate })
  plain = await startScriptedRegistry()
  disposables = [secure, plain, folder]
})

afterEach(async () => {
  for (const each of disposables) await each[Symbol.asyncDispose]()
})

async function proxy(options: Partial<ProxyOptions> = {}): Promise<TestProxy> {
  const hosts = { 'registry.test': secure.port, 'plain.test': plain.port }
  const started = await startProxy({ hosts, ...options })
  disposables.unshift(started)
  return started
}

async function connect(
  url: string,
  env: Record<string, string>,
  more: Partial<RegistryConfig> = {},
) {
  const ca = await readFile(certificate.caFile, 'utf8')
  const client = open(configFor(url, { id: 'hq', ca, ...more }), { env })
  disposables.unshift(client)
  return client
}

const SECURE = 'https://registry.test'
const PLAIN = 'http://plain.test'

it('a registry behind TLS is reached through a tunnel, whose proxy sees only its name', async () => {
  const between = await proxy()
  const client = await connect(SECURE, { HTTPS_PROXY: between.url })
  const repo = client.repository(repository('team/app'))
  const { bytes, descriptor } = randomBlob(3_000_000)

  await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)
  const body = await bytesOf(await repo.getBlob(descriptor, SIGNAL))

  expect(body.equals(bytes)).toBe(true)
  expect(new Set(between.asked)).toEqual(new Set(['CONNECT registry.test:443']))
  expect(between.asked.length).toBeLessThanOrEqual(2)
})

it('a registry in plain http is reached through a proxy that is told whole addresses', async () => {
  const between = await proxy()
  const client = await connect(PLAIN, { HTTP_PROXY: between.url })
  const repo = client.repository(repository('team/app'))
  const { bytes, descriptor } = randomBlob(3_000_000)

  await repo.putBlob(descriptor, streamOf(bytes), SIGNAL)
  await bytesOf(await repo.getBlob(descriptor, SIGNAL))

  expect(between.asked).toContain(`GET http://plain.test/v2/team/app/blobs/${descriptor.digest}`)
  expect(plain.requests.map(({ headers }) => headers.host)).not.toContain(between.host)
})

it('tokens are asked for through the proxy, too', async () => {
  const between = await proxy()
  plain.script({ path: /^\/v2\/$/ }, ({ request, response }) => {
    if (request.headers.authorization === 'Bearer t') response.end('{}')
    else {
      response.setHeader('www-authenticate', 'Bearer realm="http://plain.test/token"')
      response.writeHead(401).end()
    }
  })
  plain.script({ path: /^\/token/ }, ({ response }) => response.end('{"token":"t"}'))
  const account = { username: 'u', password: 'p' }

  await (await connect(PLAIN, { HTTP_PROXY: between.url }, account)).check(SIGNAL)

  expect(between.asked).toContain('GET http://plain.test/token')
})

it.each([
  ['a tunnel', SECURE, 'HTTPS_PROXY'],
  ['plain http', PLAIN, 'HTTP_PROXY'],
])('a proxy that wants a login gets it, for %s, and nobody else does', async (_, url, name) => {
  const between = await proxy({ login: LOGIN })
  const client = await connect(url, { [name]: between.url.replace('://', `://${ADDRESS}`) })

  await client.check(SIGNAL)

  const pair = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64')
  expect(between.headers[0]?.['proxy-authorization']).toBe(`Basic ${pair}`)
  expect(between.headers.every(({ authorization }) => authorization === undefined)).toBe(true)
})

it.each([
  ['a tunnel', SECURE, 'HTTPS_PROXY'],
  ['plain http', PLAIN, 'HTTP_PROXY'],
])('a proxy that refuses the login is told, for %s, without it', async (_, url, name) => {
  const between = await proxy({ login: LOGIN })
  const wrong = between.url.replace('://', '://us%20er:hunter2@')
  const client = await connect(url, { [name]: wrong })

  const failure = await failureOf(client.check(SIGNAL))

  expect(failure).toMatchObject({ disposition: 'permanent' })
  expect(String(failure)).toMatch(/407.*username and a password into the address in HTTPS?_PROXY/)
  expect(`${String(failure)} ${JSON.stringify(failure)}`).not.toContain('hunter2')
})

it.each([
  ['401 Unauthorized\r\nwww-authenticate: Basic realm="registry"', 'permanent', 'PROXY_REFUSED'],
  ['404 Not Found', 'permanent', 'PROXY_REFUSED'],
  ['403 Forbidden', 'permanent', 'PROXY_REFUSED'],
  ['502 Bad Gateway', 'transient', 'PROXY_FAILED'],
])(
  'a proxy that opens no tunnel is not taken for the registry: %s',
  async (status, disposition, networkCode) => {
    const between = await proxy({ refuseWith: status })
    const account = { username: 'u', password: 'hunter2' }
    const client = await connect(SECURE, { HTTPS_PROXY: between.url }, account)

    const failure = await failureOf(client.check(SIGNAL))

    expect(failure).toMatchObject({ disposition, networkCode, status: undefined })
    expect(String(failure)).toContain(
      `the proxy ${between.host} answered CONNECT registry.test:443 with ${status.slice(0, 3)}`,
    )
    expect(between.headers.every(({ authorization }) => authorization === undefined)).toBe(true)
  },
)

it('a proxy that is not there is told as that, and tried again later', async () => {
  const between = await proxy()
  await between[Symbol.asyncDispose]()
  const client = await connect(SECURE, { HTTPS_PROXY: between.url })

  const failure = await failureOf(client.check(SIGNAL))

  expect(failure).toMatchObject({ disposition: 'transient', networkCode: 'PROXY_FAILED' })
  expect(String(failure)).toContain(`the proxy ${between.host} cannot be used`)
})

it('a proxy that is no address is told', async () => {
  const client = await connect(SECURE, { HTTPS_PROXY: 'socks5://u:hunter2@p:1080' })

  const failure = await failureOf(client.check(SIGNAL))

  expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'BAD_PROXY' })
  expect(String(failure)).not.toContain('hunter2')
})

it.each([
  ['exempt', { NO_PROXY: '127.0.0.0/8' }],
  ['on loopback', {}],
])('a registry that is %s is reached directly', async (_, more) => {
  const between = await proxy()
  const client = await connect(plain.url, { HTTP_PROXY: between.url, ...more })

  await client.check(SIGNAL)

  expect(between.asked).toEqual([])
})

it.each([
  ['plain http', 'http://storage.invalid/x'],
  ['a tunnel', 'https://storage.invalid/x'],
])(
  'a host that a registry names and that cannot be looked up here is not asked for, by %s',
  async (_, location) => {
    const between = await proxy({
      hosts: { 'plain.test': plain.port, 'storage.invalid': plain.port },
    })
    const env = { HTTP_PROXY: between.url, HTTPS_PROXY: between.url }
    plain.script({ method: 'GET', path: /blobs/ }, ({ response }) => {
      response.writeHead(307, { location }).end()
    })
    const { descriptor } = randomBlob(10)

    const failure = await failureOf(
      (await connect(PLAIN, env)).repository(repository('a/b')).getBlob(descriptor, SIGNAL),
    )

    expect(failure).toMatchObject({ disposition: 'permanent', networkCode: 'FORBIDDEN_HOST' })
    expect(String(failure)).toMatch(/storage\.invalid.*upstreams\.hq\.trustedHosts/)
    expect(between.asked.some((asked) => asked.includes('storage.invalid'))).toBe(false)
  },
)

it('a host that a registry names and the operator trusts is left to the proxy', async () => {
  const between = await proxy({
    hosts: { 'plain.test': plain.port, 'storage.invalid': plain.port },
  })
  const { bytes, descriptor } = randomBlob(10)
  plain.addBlob('a/b', bytes)
  plain.script({ method: 'GET', path: /blobs/, times: 1 }, ({ request, response }) => {
    response.writeHead(307, { location: `http://storage.invalid${request.url ?? ''}` }).end()
  })
  const trusted = { trustedHosts: ['storage.invalid'] }
  const client = await connect(PLAIN, { HTTP_PROXY: between.url }, trusted)

  const body = await client.repository(repository('a/b')).getBlob(descriptor, SIGNAL)

  expect((await bytesOf(body)).equals(bytes)).toBe(true)
})
