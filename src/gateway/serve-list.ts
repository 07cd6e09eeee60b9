import { parseReferrerTag } from '../oci/referrer-tag.ts'
import type { ListExchange } from './lists/local-list.ts'
import type { RecentUploads } from './manifests/recent-uploads.ts'
import { serveFallbackTag } from './referrers/serve-fallback-tag.ts'
import { type ReferrersDeps, serveReferrers } from './referrers/serve-referrers.ts'
import type { RegistryPath } from './registry-path.ts'
import { serveTags, type TagsDeps } from './tags/serve-tags.ts'

export type ListDeps = ReferrersDeps & TagsDeps & { readonly uploads: Pick<RecentUploads, 'has'> }

/** Answers what may be a list that upstream has a part in. False, with nothing sent, where it is none. */
export async function serveList(
  exchange: ListExchange,
  asked: RegistryPath,
  deps: ListDeps,
): Promise<boolean> {
  const { request, method } = exchange
  if (asked.kind === 'tags' && method === 'GET') {
    await serveTags(exchange, asked.repository, deps)
    return true
  }
  if (asked.kind !== 'referrers' && asked.kind !== 'manifest') return false
  // Whoever attaches something writes the list back, and the registry would lack what upstream alone has.
  if (deps.uploads.has(request, asked.repository)) return false
  if (asked.kind === 'manifest') {
    const tag = parseReferrerTag(asked.reference)
    if (tag?.kind !== 'fallback') return false
    return await serveFallbackTag(exchange, { ...asked, digest: tag.subject }, deps)
  }
  if (method === 'GET') await serveReferrers(exchange, asked, deps)
  return method === 'GET'
}
