import { type Digest, parseDigest } from '../oci/digest.ts'
import {
  parseReference,
  parseRepository,
  type Reference,
  type Repository,
} from '../oci/reference.ts'

/** What a path of the registry API asks for, as far as the gateway has to do with it. */
export type RegistryPath =
  | { readonly kind: 'manifest'; readonly repository: Repository; readonly reference: Reference }
  | { readonly kind: 'blob'; readonly repository: Repository; readonly digest: Digest }
  /** Everything else: passed on as it is, whatever it is. */
  | { readonly kind: 'other' }

const OTHER: RegistryPath = { kind: 'other' }

/** OCI distribution-spec, "Endpoints": end-2 and end-3. Takes the path without its query. */
export function readRegistryPath(path: string): RegistryPath {
  const [, name, kind, last] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? []
  if (name === undefined || last === undefined) return OTHER
  const repository = parseRepository(name)
  // Some clients write the colon of a digest as %3A.
  const text = decoded(last)
  if (!repository.ok || text === undefined) return OTHER
  return kind === 'manifests'
    ? manifestPath(repository.value, text)
    : blobPath(repository.value, text)
}

function manifestPath(repository: Repository, text: string): RegistryPath {
  const reference = parseReference(text)
  return reference.ok ? { kind: 'manifest', repository, reference: reference.value } : OTHER
}

function blobPath(repository: Repository, text: string): RegistryPath {
  const digest = parseDigest(text)
  return digest.ok ? { kind: 'blob', repository, digest: digest.value } : OTHER
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}
