import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { RegistryConfig } from '../../src/config/config.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { type Manifest, parseManifest } from '../../src/oci/manifest.ts'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'
import {
  parseReference,
  parseRepository,
  type Reference,
  type Repository,
} from '../../src/oci/reference.ts'
import { openRegistry, type Registry, type RegistryOptions } from '../../src/registry/registry.ts'

/** A signal that nobody aborts. */
export const SIGNAL = new AbortController().signal

export function configFor(url: string, more: Partial<RegistryConfig> = {}): RegistryConfig {
  return { id: 'local', url: new URL(url), trustedHosts: [], ...more }
}

/** Pauses between tries are short: what is tested is what happens, not how long it takes. */
export function open(config: RegistryConfig, options: Partial<RegistryOptions> = {}): Registry {
  const requestRetries = { pauseMs: 5 }
  return openRegistry(config, { userAgent: 'pullsync/test', requestRetries, ...options })
}

export function repository(text: string): Repository {
  const name = parseRepository(text)
  if (!name.ok) throw new Error(name.reason)
  return name.value
}

export function reference(text: string): Reference {
  const name = parseReference(text)
  if (!name.ok) throw new Error(name.reason)
  return name.value
}

export interface Blob {
  readonly bytes: Buffer
  readonly descriptor: Descriptor
}

export function blobOf(bytes: Buffer): Blob {
  const mediaType = 'application/octet-stream'
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } }
}

export function randomBlob(size: number): Blob {
  return blobOf(randomBytes(size))
}

/** In pieces, as a network brings them. */
export function streamOf(bytes: Buffer, pieceSize = 16 * 1024): Readable {
  const count = Math.ceil(bytes.length / pieceSize)
  const pieces = Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * pieceSize, (index + 1) * pieceSize),
  )
  return Readable.from(pieces, { objectMode: false })
}

export async function bytesOf(body: Readable): Promise<Buffer> {
  return await buffer(body)
}

/** With spaces that no serialiser would write: they must come through. */
export function manifestOf(json: object, mediaType = OCI_MANIFEST): Manifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...json }, null, 3))
  const manifest = parseManifest(bytes, mediaType)
  if (!manifest.ok) throw new Error(manifest.reason)
  return manifest.value
}

/** What a promise is rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('expected a failure')
}
