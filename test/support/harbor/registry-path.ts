/** What a request under /v2/ is about. */
export type Asked =
  | { readonly kind: 'ping' }
  | { readonly kind: 'catalog' }
  | AskedOfRepository
  | { readonly kind: 'unknown' }

export interface AskedOfRepository {
  readonly kind: 'manifest' | 'blob' | 'upload' | 'tags' | 'referrers'
  readonly repository: string
  /** Tag, digest, or the upload's id. */
  readonly what: string
}

const PATHS: readonly (readonly [AskedOfRepository['kind'], RegExp])[] = [
  ['upload', /^\/v2\/(.+)\/blobs\/uploads\/([^/]*)$/],
  ['manifest', /^\/v2\/(.+)\/manifests\/([^/]+)$/],
  ['blob', /^\/v2\/(.+)\/blobs\/([^/]+)$/],
  ['tags', /^\/v2\/(.+)\/tags\/(list)$/],
  ['referrers', /^\/v2\/(.+)\/referrers\/([^/]+)$/],
]

export function askedOf(path: string): Asked {
  if (/^\/v2\/?$/.test(path)) return { kind: 'ping' }
  if (path === '/v2/_catalog') return { kind: 'catalog' }
  for (const [kind, pattern] of PATHS) {
    const [, repository, what] = pattern.exec(path) ?? []
    if (repository !== undefined && what !== undefined) {
      return { kind, repository, what: decodeURIComponent(what) }
    }
  }
  return { kind: 'unknown' }
}

/** The right that a request needs, as it stands in refusals. */
export function actionOf(method: string): 'pull' | 'push' | 'delete' {
  if (method === 'GET' || method === 'HEAD') return 'pull'
  return method === 'DELETE' ? 'delete' : 'push'
}
