import type { ServerResponse } from 'node:http'
import { untilClosed } from '../../http/until-closed.ts'
import type { Digest } from '../../oci/digest.ts'
import { OCI_INDEX } from '../../oci/media-types.ts'
import { parseReferrerList, type Referrer } from '../../oci/referrer-list.ts'
import type { Repository } from '../../oci/reference.ts'
import { type ListedConfig, listedUpstream, queryOf } from '../lists/listed-upstream.ts'
import {
  askForList,
  type ListExchange,
  nextOf,
  sendShortOf,
  sendWholeList,
  warningOf,
} from '../lists/local-list.ts'
import type { ListLimits } from '../lists/list-limits.ts'
import type { UpstreamList, UpstreamLists } from '../lists/upstream-lists.ts'
import type { LocalRegistry } from '../local/local-registry.ts'
import type { OriginalAnswer } from '../local/original-answer.ts'
import type { Rights } from '../rights/rights.ts'
import { type ReferrerPage, referrerPage, type ReferrerWish, unite } from './referrer-page.ts'

export interface ReferrersDeps {
  readonly config: () => ListedConfig
  readonly local: () => LocalRegistry
  readonly rights: Rights
  readonly upstreamReferrers: UpstreamLists<Referrer>
  readonly listLimits: ListLimits
  readonly announced: {
    /** Clients were told of these manifests. Never rejects. */
    rememberAll(repository: Repository, digests: readonly Digest[]): Promise<void>
  }
}

export interface Subject {
  readonly repository: Repository
  readonly digest: Digest
}

const WHAT = 'referrers'
/** Where a page of two united lists goes on. No registry's own links have it. */
const AFTER = 'pullsync-after'
const OWN_QUERY = new Set(['artifactType', 'ns', AFTER])

/**
 * GET of what refers to a manifest: the local registry's list and upstream's in one, whether the manifest is here or not. Where
 * the local registry has no such lists its answer stands, and clients ask for the fallback tag.
 */
export async function serveReferrers(
  { request, response, forwarded }: ListExchange,
  subject: Subject,
  deps: ReferrersDeps,
): Promise<void> {
  const signal = untilClosed(response)
  const { url = '' } = request
  const query = queryOf(url)
  const own = ownPart(forwarded, query)
  const answer = await askForList(own, deps.local(), signal)
  if (answer.isCut === true) {
    await sendWholeList({ response, forwarded: own }, deps.local(), signal)
    return
  }
  const local = await allEntries(answer, forwarded, deps.local(), signal)
  const asksForLocalPage = [...query.keys()].some((key) => !OWN_QUERY.has(key))
  const asked = { ...subject, forwarded }
  const isOpen = local !== undefined && !asksForLocalPage && answer.status === 200
  if (!isOpen || !(await deps.rights.allow(asked, answer.status, signal))) {
    sendShortOf(response, answer, { complete: true, what: WHAT })
    return
  }
  const upstream = await upstreamReferrers({ request, forwarded, subject, signal }, deps)
  const all = unite(local, upstream.entries)
  const wish = readWish(query)
  const page = all.length > local.length ? referrerPage(all, wish) : undefined
  if (page === undefined) sendShortOf(response, answer, { ...upstream, what: WHAT })
  else sendPage(response, page, { ...subject, ...wish, complete: upstream.complete })
}

interface AskedReferrers extends Pick<ListExchange, 'request' | 'forwarded'> {
  readonly subject: Subject
  readonly signal: AbortSignal
}

/** Empty and complete where the project takes no referrers from upstream. */
export async function upstreamReferrers(
  { request, forwarded, subject: { repository, digest }, signal }: AskedReferrers,
  { config, announced, upstreamReferrers: lists, listLimits }: ReferrersDeps,
): Promise<UpstreamList<Referrer>> {
  const listed = listedUpstream(repository, request.url ?? '', config())
  if (listed?.project.referrers !== true) return { entries: [], complete: true }
  const asking = { request, forwarded, repository, signal }
  const asker = listLimits.asker(asking, listed.wish.upstreams)
  const list = await lists.of({ ...listed.wish, about: digest }, asker)
  const first = list.entries.slice(0, MAX_TOLD).map((entry) => entry.digest)
  // With them, that upstream has what they refer to.
  if (first.length > 0) void announced.rememberAll(repository, [...first, digest])
  return list
}

/** Of more than these, none is what a client knew before it asked. */
const MAX_TOLD = 8

/** The request without what only the gateway understands. */
function ownPart(forwarded: ListExchange['forwarded'], query: URLSearchParams) {
  if (!query.has(AFTER)) return forwarded
  const [path = ''] = forwarded.path.split('?', 1)
  return { ...forwarded, path }
}

/** Those of its further pages, too. Undefined where it has no such list, or none that can be read to its end. */
async function allEntries(
  first: OriginalAnswer,
  forwarded: ListExchange['forwarded'],
  local: LocalRegistry,
  signal: AbortSignal,
): Promise<readonly Referrer[] | undefined> {
  const found: Referrer[] = []
  let [answer, path] = [first, forwarded.path]
  for (let count = 0; count < MAX_PAGES; count += 1) {
    const entries = entriesIn(answer)
    if (entries === undefined) return undefined
    found.push(...entries)
    const next = nextOf(answer, path)
    if (next.kind === 'none') return found
    if (next.kind !== 'page') return undefined
    path = next.url.pathname + next.url.search
    answer = await askForList({ ...forwarded, path }, local, signal)
  }
  return undefined
}

const MAX_PAGES = 20

function entriesIn({ status, body }: OriginalAnswer): readonly Referrer[] | undefined {
  if (status !== 200) return undefined
  const list = parseReferrerList(body)
  return list.ok ? list.value : undefined
}

function readWish(query: URLSearchParams): ReferrerWish {
  const artifactType = query.get('artifactType')
  const after = query.get(AFTER)
  return {
    ...(artifactType !== null && artifactType !== '' && { artifactType }),
    ...(after !== null && { after }),
  }
}

/** OCI distribution-spec, "Listing Referrers". */
function sendPage(
  response: ServerResponse,
  { list, last }: ReferrerPage,
  { repository, digest, artifactType, complete }: Subject & ReferrerWish & { complete: boolean },
): void {
  const next = new URLSearchParams({
    ...(artifactType !== undefined && { artifactType }),
    ...(last !== undefined && { [AFTER]: last }),
  })
  response.writeHead(200, {
    'Content-Type': OCI_INDEX,
    'Content-Length': list.bytes.length,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    ...(artifactType !== undefined && { 'OCI-Filters-Applied': 'artifactType' }),
    ...(last !== undefined && {
      Link: `</v2/${repository}/referrers/${digest}?${next.toString()}>; rel="next"`,
    }),
    ...(!complete && { Warning: warningOf(WHAT) }),
  })
  response.end(list.bytes)
}
