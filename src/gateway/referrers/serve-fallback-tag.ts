import type { ServerResponse } from 'node:http'
import { untilClosed } from '../../http/until-closed.ts'
import type { Manifest } from '../../oci/manifest.ts'
import { OCI_INDEX } from '../../oci/media-types.ts'
import { formatReferrerList, parseReferrerList, type Referrer } from '../../oci/referrer-list.ts'
import { accepts } from '../framing/accept.ts'
import { askForList, type ListExchange } from '../lists/local-list.ts'
import type { OriginalAnswer } from '../local/original-answer.ts'
import { unite } from './referrer-page.ts'
import { type ReferrersDeps, type Subject, upstreamReferrers } from './serve-referrers.ts'

/**
 * GET or HEAD of the tag under which a registry without lists of referrers keeps them: made of what upstream lists, by whichever
 * way, and of what is here. False, with nothing sent, where upstream has nothing that is not here.
 */
export async function serveFallbackTag(
  { request, response, forwarded, method }: ListExchange,
  subject: Subject,
  deps: ReferrersDeps,
): Promise<boolean> {
  if (!accepts(request, OCI_INDEX)) return false
  const signal = untilClosed(response)
  const answer = await askForList(forwarded, deps.local(), signal)
  const asked = { ...subject, forwarded }
  const local = entriesIn(answer)
  if (local === undefined || !(await deps.rights.allow(asked, answer.status, signal))) return false
  const { entries } = await upstreamReferrers({ request, forwarded, subject, signal }, deps)
  const all = unite(local, entries)
  const list = formatReferrerList(all)
  if (all.length === local.length || !list.ok) return false
  sendList(response, list.value, method)
  return true
}

/** Undefined where the registry does not say, or has an image of somebody who likes such tags. */
function entriesIn({ status, body }: OriginalAnswer): readonly Referrer[] | undefined {
  if (status === 404) return []
  const list = status === 200 ? parseReferrerList(body) : undefined
  return list?.ok === true ? list.value : undefined
}

function sendList(
  response: ServerResponse,
  { digest, mediaType, bytes }: Manifest,
  method: string,
): void {
  response.writeHead(200, {
    'Content-Type': mediaType,
    'Content-Length': bytes.length,
    'Docker-Content-Digest': digest,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    Etag: `"${digest}"`,
  })
  response.end(method === 'HEAD' ? undefined : bytes)
}
