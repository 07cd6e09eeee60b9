import { z } from 'zod'
import type { RegistryIdentity } from '../words/identity.ts'
import { RegistryError, wrongAnswer } from '../errors/registry-error.ts'
import type { Operation } from '../words/operation.ts'
import { parseJson } from '../../oci/json.ts'
import { parseRepository, parseTag, type Repository, type Tag } from '../../oci/reference.ts'
import { parseTagList } from '../../oci/tag-list.ts'
import { type Page, type PageRequest, readPage } from './read-page.ts'
import { operationOf, type RegistrySession, type RepositorySession } from '../session.ts'

const PAGE = 1_000
/** Of names: enough for ten thousand of the longest. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024
/** With pages of a thousand, a million names. */
const MAX_PAGES = 1_000

/**
 * Every repository that the registry tells of, page by page (`_catalog` of the registry API, which the
 * OCI distribution-spec does not have). Undefined where it tells nobody, or not this account.
 */
export async function listRepositories(
  session: RegistrySession,
  signal: AbortSignal,
): Promise<AsyncIterable<readonly Repository[]> | undefined> {
  const { identity, links } = session
  const operation = catalogOperation(identity)
  const asking = {
    operation,
    url: links.catalog(PAGE),
    scopes: ['registry:catalog:*'],
    // Whoever may not list repositories is told so in many ways.
    none: [401, 403, 404, 405, 501],
    maxBytes: MAX_PAGE_BYTES,
  }
  const first = await firstPage(session, asking, signal)
  if (first === undefined) return undefined
  return pagesFrom(session, { ...asking, first, parse: parseRepositories }, signal)
}

/** OCI distribution-spec, "Listing Tags"; nothing where there is no such repository. */
export async function* listTags(
  session: RepositorySession,
  signal: AbortSignal,
): AsyncIterable<readonly Tag[]> {
  const { links, repository, readScopes: scopes } = session
  const operation = operationOf(session, 'manifest', `list the tags of ${repository} in`)
  const url = links.tags(repository, PAGE)
  const asking = { operation, url, scopes, none: [404], maxBytes: MAX_PAGE_BYTES }
  const first = await firstPage(session, asking, signal)
  if (first === undefined) return
  yield* pagesFrom(session, { ...asking, first, parse: parseTags }, signal)
}

/** distribution 3 refuses pages that are longer than `catalog.maxentries`; asked for none in particular, it gives such. */
async function firstPage(
  session: RegistrySession,
  asking: PageRequest,
  signal: AbortSignal,
): Promise<Page | undefined> {
  try {
    return await readPage(session, asking, signal)
  } catch (error) {
    const tooLong = error instanceof RegistryError && error.codes.includes(PAGE_TOO_LONG)
    if (!tooLong) throw error
    const url = new URL(asking.url)
    url.search = ''
    return await readPage(session, { ...asking, url }, signal)
  }
}

const PAGE_TOO_LONG = 'PAGINATION_NUMBER_INVALID'

function catalogOperation(identity: RegistryIdentity): Operation {
  return { registry: identity, kind: 'check', intent: `list the repositories of ${identity.name}` }
}

interface Listing<Name> extends PageRequest {
  readonly first: Page
  /** Undefined when it is no such page. */
  readonly parse: (page: unknown) => readonly Name[] | undefined
}

async function* pagesFrom<Name>(
  session: RegistrySession,
  { first, parse, ...asking }: Listing<Name>,
  signal: AbortSignal,
): AsyncIterable<readonly Name[]> {
  let page: Page | undefined = first
  const asked = new Set<string>()
  for (let count = 1; page !== undefined; count += 1) {
    if (!page.complete)
      throw wrongAnswer(asking.operation, 'one page of its list is larger than 8 MiB.')
    const names = parse(parseJson(page.bytes))
    // What a page holds that is none is not known: the list is not complete without it.
    if (names === undefined) throw wrongAnswer(asking.operation, 'a page of its list is none.')
    yield names
    const next = page.next()
    if (next === undefined) return
    if (asked.has(next.href)) throw wrongAnswer(asking.operation, 'its list leads back to itself.')
    asked.add(next.href)
    if (count === MAX_PAGES) throw wrongAnswer(asking.operation, 'its list of names has no end.')
    page = await readPage(session, { ...asking, none: [], url: next }, signal)
  }
}

// Go writes what is empty as null: crane's registry where there is no repository.
const catalog = z.object({ repositories: z.array(z.string()).nullable() })

// A name that no registry may have is no name to go on with.
function parseRepositories(page: unknown): readonly Repository[] | undefined {
  const list = catalog.safeParse(page)
  if (!list.success) return undefined
  return (list.data.repositories ?? []).flatMap((name) => {
    const repository = parseRepository(name)
    return repository.ok ? [repository.value] : []
  })
}

function parseTags(page: unknown): readonly Tag[] | undefined {
  return parseTagList(page)?.flatMap((name) => {
    const tag = parseTag(name)
    return tag.ok ? [tag.value] : []
  })
}
