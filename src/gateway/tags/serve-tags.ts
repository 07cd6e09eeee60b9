import type { ServerResponse } from 'node:http'
import type { ProjectConfig } from '../../config/config.ts'
import { untilClosed } from '../../http/until-closed.ts'
import { parseJson } from '../../oci/json.ts'
import type { Repository, Tag } from '../../oci/reference.ts'
import { parseTagList } from '../../oci/tag-list.ts'
import { letsThrough } from '../../policy/replicate-decision.ts'
import {
  type ListedConfig,
  type ListedUpstream,
  listedUpstream,
  queryOf,
} from '../lists/listed-upstream.ts'
import {
  askForList,
  type ListExchange,
  nextOf,
  sendShortOf,
  sendWholeList,
  warningOf,
} from '../lists/local-list.ts'
import { KNOWN, type ListAsker, type ListLimits } from '../lists/list-limits.ts'
import type { UpstreamLists } from '../lists/upstream-lists.ts'
import type { LocalRegistry } from '../local/local-registry.ts'
import type { OriginalAnswer } from '../local/original-answer.ts'
import type { Rights } from '../rights/rights.ts'
import {
  inOrder,
  linkAfter,
  mergeTags,
  type PageWish,
  readPageWish,
  type TagPage,
} from './tag-page.ts'

export interface TagsDeps {
  readonly config: () => ListedConfig
  readonly local: () => LocalRegistry
  readonly rights: Rights
  readonly upstreamTags: UpstreamLists<Tag>
  readonly listLimits: ListLimits
}

/** GET of a repository's list of tags: the local registry's and upstream's in one, as far as the project's `tagList` wants it. */
export async function serveTags(
  { request, response, forwarded }: ListExchange,
  repository: Repository,
  deps: TagsDeps,
): Promise<void> {
  const signal = untilClosed(response)
  const answer = await askForList(forwarded, deps.local(), signal)
  if (answer.isCut === true) {
    await sendWholeList({ response, forwarded }, deps.local(), signal)
    return
  }
  const local = pageIn(answer, forwarded.path)
  const { url = '' } = request
  const listed = listedUpstream(repository, url, deps.config())
  const wanted = local !== undefined && listed?.project.tagList === 'merge'
  if (!wanted || !(await deps.rights.allow({ repository, forwarded }, answer.status, signal))) {
    sendShortOf(response, answer, { complete: true, what: WHAT })
    return
  }
  const asking = { request, forwarded, repository, signal }
  // What is here has not been made up.
  const asker =
    local.names.length > 0 ? KNOWN : deps.listLimits.asker(asking, listed.wish.upstreams)
  const upstream = await namesUpstream(listed, deps, asker)
  sendUnited(response, { answer, local, upstream, wish: readPageWish(queryOf(url)), repository })
}

interface Lists {
  readonly answer: OriginalAnswer
  readonly local: TagPage
  readonly upstream: { readonly names: readonly string[]; readonly complete: boolean }
  readonly wish: PageWish
  readonly repository: Repository
}

function sendUnited(
  response: ServerResponse,
  { answer, local, upstream, wish, repository }: Lists,
): void {
  const { names, complete } = upstream
  const page = hasNews(local, names, wish) ? mergeTags(local, names, wish) : undefined
  // Without a name to go on after, only the registry's own link leads on.
  const isDeadEnd = page?.more === true && page.names.length === 0
  if (page === undefined || isDeadEnd) {
    sendShortOf(response, answer, { complete: complete && !isDeadEnd, what: WHAT })
    return
  }
  const link = linkAfter(page, `/v2/${repository}/tags/list`, wish)
  sendList(response, { name: repository, tags: page.names }, { link, complete })
}

/** Whether upstream has a part in it. A page that the client has from here goes on here. */
function hasNews({ names }: TagPage, upstream: readonly string[], { last }: PageWish): boolean {
  const known = new Set(names)
  return last !== undefined || !upstream.every((name) => known.has(name))
}

const WHAT = 'tags'

/** Undefined when the registry has given no list, and has not said either that there is none. */
function pageIn(answer: OriginalAnswer, path: string): TagPage | undefined {
  if (answer.status === 404) return { names: [], more: false }
  const names = answer.status === 200 ? parseTagList(parseJson(answer.body)) : undefined
  return names && { names, more: nextOf(answer, path).kind !== 'none' }
}

async function namesUpstream(
  { project, wish }: ListedUpstream,
  { upstreamTags }: TagsDeps,
  asker: ListAsker,
): Promise<{ readonly names: readonly string[]; readonly complete: boolean }> {
  const { entries, complete } = await upstreamTags.of(wish, asker)
  return { names: namesFor(project, entries), complete }
}

/** Of lists that are remembered, so that each page does not look at all of many thousand names again. */
const kept = new WeakMap<readonly Tag[], Kept>()

interface Kept {
  readonly project: ProjectConfig
  readonly names: readonly string[]
}

/** Those that the project lets through, in order. */
function namesFor(project: ProjectConfig, entries: readonly Tag[]): readonly string[] {
  const known = kept.get(entries)
  if (known?.project === project) return known.names
  const names = inOrder(entries.filter((tag) => letsThrough(project, tag)))
  kept.set(entries, { project, names })
  return names
}

interface SentWith {
  readonly link: string | undefined
  readonly complete: boolean
}

function sendList(response: ServerResponse, list: object, { link, complete }: SentWith): void {
  const body = Buffer.from(JSON.stringify(list))
  response.writeHead(200, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
    'Docker-Distribution-Api-Version': 'registry/2.0',
    ...(link !== undefined && { Link: link }),
    ...(!complete && { Warning: warningOf(WHAT) }),
  })
  response.end(body)
}
