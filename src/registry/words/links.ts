import type { Digest } from '../../oci/digest.ts'
import type { Reference, Repository } from '../../oci/reference.ts'

/** The addresses of the OCI distribution-spec, "Endpoints", below the registry's own. */
export interface Links {
  readonly root: URL
  manifest(repository: Repository, reference: Reference): URL
  blob(repository: Repository, digest: Digest): URL
  referrers(repository: Repository, subject: Digest): URL
  tags(repository: Repository, pageSize: number): URL
  /** Not of the specification: `_catalog` of the registry API that it came from. */
  catalog(pageSize: number): URL
  uploads(repository: Repository, query?: Readonly<Record<string, string>>): URL
}

/** @param registry may have a path, as Artifactory's repositories do */
export function linksOf(registry: URL): Links {
  const base = `${registry.origin}${registry.pathname.replace(/\/+$/, '')}/v2/`
  return {
    root: new URL(base),
    manifest: (repository, reference) => new URL(`${base}${repository}/manifests/${reference}`),
    blob: (repository, digest) => new URL(`${base}${repository}/blobs/${digest}`),
    referrers: (repository, subject) => new URL(`${base}${repository}/referrers/${subject}`),
    tags: (repository, pageSize) => new URL(`${base}${repository}/tags/list?n=${pageSize}`),
    catalog: (pageSize) => new URL(`${base}_catalog?n=${pageSize}`),
    uploads: (repository, query) =>
      withQuery(new URL(`${base}${repository}/blobs/uploads/`), query),
  }
}

/**
 * A Location header as an address: absolute, or relative to what was asked.
 * Registries behind a proxy that ends TLS often believe they speak plain http; the host being the
 * configured one, its https is kept rather than sending content and token in the clear.
 */
export function followLocation(location: string, asked: URL): URL | undefined {
  const url = addressOf(location, asked)
  if (asked.protocol !== 'https:' || url?.protocol !== 'http:' || url.hostname !== asked.hostname) {
    return url
  }
  return new URL(`${asked.origin}${url.pathname}${url.search}`)
}

/**
 * The same for what need not be the registry itself: a token service, a store. What is named at another
 * port of the same host is one, and not what stands at the registry's own.
 */
export function followAway(location: string, asked: URL): URL | undefined {
  const url = addressOf(location, asked)
  return url !== undefined && isAnotherService(url, asked) ? url : followLocation(location, asked)
}

// Whoever believes to speak plain http names the port that it was asked at, or none.
function isAnotherService({ port, pathname }: URL, asked: URL): boolean {
  return port !== '' && port !== (asked.port || '443') && !pathname.startsWith('/v2/')
}

function addressOf(location: string, asked: URL): URL | undefined {
  const target = looksLikeScheme(location) ? `./${location}` : location
  if (!URL.canParse(target, asked.href)) return undefined
  const url = new URL(target, asked.href)
  url.username = ''
  url.password = ''
  url.hash = ''
  return url
}

/** A relative path whose first segment has a colon, as `upload:1`; RFC 3986, 4.2, wants "./" before it. */
function looksLikeScheme(location: string): boolean {
  return /^(?!https?:)[a-z][a-z0-9+.-]*:(?!\/\/)/i.test(location)
}

/** The same address with these parameters too; those that it has are kept as they are written. */
export function withQuery(url: URL, query: Readonly<Record<string, string>> = {}): URL {
  const added = new URLSearchParams(query).toString()
  if (added === '') return url
  const result = new URL(url.href)
  result.search = url.search === '' ? `?${added}` : `${url.search}&${added}`
  return result
}
