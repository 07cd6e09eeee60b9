import { type Digest, parseDigest } from '../oci/digest.ts'
import {
  parseReference,
  parseRepository,
  type Reference,
  type Repository,
} from '../oci/reference.ts'

/** What a path of the registry API asks for. OCI distribution-spec, "Endpoints", and the catalog that all registries have. */
export type RegistryPath =
  /** `/v2/`, by which clients find out whether it is a registry. */
  | { readonly kind: 'base' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: Repository }
  | { readonly kind: 'manifest'; readonly repository: Repository; readonly reference: Reference }
  | { readonly kind: 'blob'; readonly repository: Repository; readonly digest: Digest }
  | { readonly kind: 'upload'; readonly repository: Repository }
  | { readonly kind: 'referrers'; readonly repository: Repository; readonly digest: Digest }
  /** By a digest of the spec's grammar that means nothing here: what it is, the registry says. */
  | { readonly kind: 'other'; readonly repository: Repository }

// OCI image-spec, descriptor.md#digests.
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/
// A registry's own business; one segment in all that are known, and never one that means a folder.
const SESSION = /^(?!\.+$)[\w.~=-]*$/

/** Some clients write the colon of a digest as %3A. Nothing else of a path may be written in two ways. */
export function canonicalPath(path: string): string {
  return path.replaceAll(/%3a/gi, ':')
}

/** Undefined for what is no path of the API. Takes it in its canonical form, without the query. */
export function readRegistryPath(path: string): RegistryPath | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'base' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  const [, name = '', kind = '', last = ''] = CONTENT.exec(path) ?? []
  const repository = parseRepository(name)
  return repository.ok ? readContent(kind, repository.value, last) : undefined
}

const CONTENT = /^\/v2\/([^%\\;]+)\/(tags|manifests|blobs\/uploads|blobs|referrers)(?:\/([^/]*))?$/

function readContent(kind: string, repository: Repository, last: string): RegistryPath | undefined {
  if (kind === 'tags') return last === 'list' ? { kind, repository } : undefined
  if (kind === 'blobs/uploads') {
    return SESSION.test(last) ? { kind: 'upload', repository } : undefined
  }
  if (kind === 'manifests') {
    const reference = parseReference(last)
    if (reference.ok) return { kind: 'manifest', repository, reference: reference.value }
  } else {
    const digest = parseDigest(last)
    const named = kind === 'blobs' ? 'blob' : 'referrers'
    if (digest.ok) return { kind: named, repository, digest: digest.value }
  }
  return DIGEST.test(last) ? { kind: 'other', repository } : undefined
}
