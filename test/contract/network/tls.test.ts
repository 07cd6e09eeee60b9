import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { createServer, type TlsOptions } from 'node:tls'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RegistryConfig } from '../../../src/config/config.ts'
import {
  type CertificateFiles,
  type CertificateOptions,
  makeCertificate,
} from '../../support/network/certificate.ts'
import { startRegistry } from '../../support/registry/docker-registry.ts'
import { startNginx } from '../../support/network/nginx.ts'
import { startScriptedRegistry } from '../../support/registry/scripted-registry.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import {
  configFor,
  failureOf,
  open,
  randomBlob,
  repository,
  SIGNAL,
  streamOf,
} from '../contract-content.ts'
import { registryContract } from '../registry.contract.ts'

registryContract('docker-registry that wants a certificate of its clients', async () => {
  const place = await tempFolder('tls')
  const files = await makeCertificate(place.path)
  const registry = await startRegistry({ tls: { ...files, clientCa: files.caFile } })
  const subject = { ca: await readFile(files.caFile, 'utf8'), ...(await clientOf(files)) }
  return {
    config: configFor(registry.url, subject),
    async [Symbol.asyncDispose]() {
      await registry[Symbol.asyncDispose]()
      await place[Symbol.asyncDispose]()
    },
  }
})

let folders: TempFolder[]

beforeEach(() => {
  folders = []
})

afterEach(async () => {
  for (const folder of folders) await folder[Symbol.asyncDispose]()
})

async function certificate(options?: CertificateOptions): Promise<CertificateFiles> {
  const folder = await tempFolder('tls')
  folders.push(folder)
  return await makeCertificate(folder.path, options)
}

async function clientOf({ certFile, keyFile }: Omit<CertificateFiles, 'caFile'>) {
  const [cert, key] = await Promise.all([certFile, keyFile].map((file) => readFile(file, 'utf8')))
  return { clientCertificate: { cert: cert ?? '', key: key ?? '' } }
}

async function messageFrom(url: string, more: Partial<RegistryConfig>): Promise<string> {
  await using client = open(configFor(url, { id: 'hq', ...more }))
  const failure = await failureOf(client.check(SIGNAL))
  expect(failure).toMatchObject({ name: 'RegistryError', disposition: 'permanent' })
  return String(failure)
}

it('an authority that did not sign the server’s certificate is not enough', async () => {
  const [files, other] = await Promise.all([certificate(), certificate()])
  await using registry = await startRegistry({ tls: files })

  const message = await messageFrom(registry.url, { ca: await readFile(other.caFile, 'utf8') })

  expect(message).toMatch(/certificate.*upstreams\.hq\.caFile/)
})

it('an expired certificate is told, and what to renew', async () => {
  const files = await certificate({ until: '200102000000Z' })
  await using registry = await startRegistry({ tls: files })

  const message = await messageFrom(registry.url, { ca: await readFile(files.caFile, 'utf8') })

  expect(message).toMatch(/expired.*Renew the server's certificate.*upstreams\.hq\.caFile/)
})

it('a certificate for another name is told, with the key to correct', async () => {
  const files = await certificate({ names: 'DNS:registry.other.example' })
  await using registry = await startRegistry({ tls: files })

  const url = registry.url.replace('127.0.0.1', 'localhost')
  const message = await messageFrom(url, { ca: await readFile(files.caFile, 'utf8') })

  expect(message).toMatch(/registry\.other\.example.*another name.*upstreams\.hq\.url/)
})

it('a client certificate that is missing is told, with the keys to set', async () => {
  const files = await certificate()
  await using registry = await startRegistry({ tls: { ...files, clientCa: files.caFile } })

  const message = await messageFrom(registry.url, { ca: await readFile(files.caFile, 'utf8') })

  expect(message).toMatch(/set upstreams\.hq\.clientCertFile and upstreams\.hq\.clientKeyFile/)
})

it('a client certificate that nginx misses is told, too', async () => {
  const files = await certificate()
  await using nginx = await startNginx(
    (port) => `server {
      listen 127.0.0.1:${port} ssl;
      ssl_certificate ${files.certFile};
      ssl_certificate_key ${files.keyFile};
      ssl_client_certificate ${files.caFile};
      ssl_verify_client on;
      error_page 497 =200 /;
      location / { return 200; }
    }`,
  )

  const url = `https://${nginx.host}`
  const message = await messageFrom(url, { ca: await readFile(files.caFile, 'utf8') })

  expect(message).toMatch(/No required SSL certificate was sent.*upstreams\.hq\.clientCertFile/)
})

it('a client certificate of somebody else is told, with the key to correct', async () => {
  const [files, other] = await Promise.all([certificate(), certificate()])
  await using registry = await startRegistry({ tls: { ...files, clientCa: files.caFile } })
  const ca = await readFile(files.caFile, 'utf8')

  const message = await messageFrom(registry.url, { ca, ...(await clientOf(other)) })

  expect(message).toMatch(/check upstreams\.hq\.clientCertFile/)
})

/** Node's code for all that breaks a handshake is EPROTO. */
it.each<[string, TlsOptions, RegExp]>([
  [
    'does not show it a certificate',
    { maxVersion: 'TLSv1.2', requestCert: true },
    /set upstreams\.hq\.clientCertFile/,
  ],
  [
    'has no cipher for it',
    { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
    /no cipher that is spoken here/,
  ],
  [
    'wants a newer TLS',
    { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
    /older versions of TLS/,
  ],
])('a server that breaks off because a client %s does speak TLS', async (_, options, advice) => {
  const files = await certificate()
  const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)])
  const server = createServer({ ...options, cert, key })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // What listens on TCP has an address of this kind.
  const { port } = server.address() as AddressInfo

  const ca = await readFile(files.caFile, 'utf8')
  const message = await messageFrom(`https://127.0.0.1:${port}`, { ca })
  server.close()

  expect(message).toMatch(/\(EPROTO\)/)
  expect(message).toMatch(advice)
  expect(message).not.toMatch(/does not speak TLS/)
})

it('a key that is not the certificate’s is told', async () => {
  const [files, other] = await Promise.all([certificate(), certificate()])
  await using registry = await startRegistry({ tls: files })
  const { certFile } = files
  const mixed = await clientOf({ certFile, keyFile: other.keyFile })

  const message = await messageFrom(registry.url, mixed)

  expect(message).toMatch(/upstreams\.hq\.clientKeyFile is not the key/)
})

it('certificates are verified although nobody said so, whatever the address', async () => {
  const files = await certificate()
  await using registry = await startRegistry({ tls: files })

  expect(await messageFrom(registry.url, {})).toMatch(/upstreams\.hq\.caFile/)
})

it('a client certificate is shown to hosts that the operator trusts, and to no other private one', async () => {
  const files = await certificate()
  await using registry = await startScriptedRegistry()
  const { clientCertificate } = await clientOf(files)
  await using storage = await startRegistry({ tls: { ...files, clientCa: files.caFile } })
  const { bytes, descriptor } = randomBlob(10)
  registry.script({ method: 'POST' }, ({ response }) => {
    const location = `${storage.url.replace('127.0.0.1', 'localhost')}/elsewhere`
    response.writeHead(202, { location }).end()
  })
  const ca = await readFile(files.caFile, 'utf8')

  const push = async (trustedHosts: readonly string[]) => {
    await using client = open(configFor(registry.url, { ca, clientCertificate, trustedHosts }))
    const repo = client.repository(repository('team/app'))
    return await failureOf(repo.putBlob(descriptor, streamOf(bytes), SIGNAL))
  }

  expect(await push([])).toMatchObject({ networkCode: 'FORBIDDEN_HOST' })
  expect(await push(['localhost'])).toMatchObject({ status: 404 })
})
