import { type CertificateFiles, makeCertificate } from '../../test/support/network/certificate.ts'
import { startRegistry, type TestRegistry } from '../../test/support/registry/docker-registry.ts'
import { Started } from '../../test/support/process/started.ts'
import { tempFolder } from '../../test/support/process/temp-folder.ts'

/** A registry, and a second door to the same content over plain http, for what is not measured. */
export interface BenchRegistry extends AsyncDisposable {
  readonly registry: TestRegistry
  readonly plainUrl: string
}

/** Of one run: over TLS, all have their certificate from one authority. */
export interface RegistryMaker extends AsyncDisposable {
  readonly caFile?: string
  start(): Promise<BenchRegistry>
}

export async function registryMaker(overTls: boolean): Promise<RegistryMaker> {
  const started = new Started()
  const dispose = () => started[Symbol.asyncDispose]()
  if (!overTls) return { start: startPlain, [Symbol.asyncDispose]: dispose }
  const folder = await started.add(tempFolder('certificate'))
  const files = await makeCertificate(folder.path)
  const { caFile } = files
  return { caFile, start: () => startSecure(files), [Symbol.asyncDispose]: dispose }
}

async function startPlain(): Promise<BenchRegistry> {
  const registry = await startRegistry()
  const dispose = () => registry[Symbol.asyncDispose]()
  return { registry, plainUrl: registry.url, [Symbol.asyncDispose]: dispose }
}

async function startSecure({ certFile, keyFile }: CertificateFiles): Promise<BenchRegistry> {
  const started = new Started()
  const dispose = () => started[Symbol.asyncDispose]()
  try {
    const registry = await started.add(startRegistry({ tls: { certFile, keyFile } }))
    const { storageFolder } = registry
    const plain = await started.add(startRegistry({ storageFolder }))
    return { registry, plainUrl: plain.url, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}
