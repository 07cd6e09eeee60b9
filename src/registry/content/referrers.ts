import type { Digest } from '../../oci/digest.ts'
import { MAX_MANIFEST_BYTES } from '../../oci/manifest.ts'
import { isIndexType, OCI_INDEX } from '../../oci/media-types.ts'
import { parseReferrerList, type Referrer } from '../../oci/referrer-list.ts'
import { referrerTag } from '../../oci/referrer-tag.ts'
import { UnsupportedManifestError, wrongAnswer } from '../errors/registry-error.ts'
import { getManifest } from './manifests.ts'
import type { Operation } from '../words/operation.ts'
import { type Page, type PageRequest, readPage } from './read-page.ts'
import { isReadable, isRefusal } from './refused-manifest.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import { messageOf } from '../../thrown.ts'

/** An image with more is not signed, it is under attack. */
const MAX_PAGES = 20
export interface ReferrersOf {
  readonly subject: Digest
  /** Told of what the list holds and cannot be read, and why. */
  readonly skipped?: (reason: string) => void
}

/**
 * What refers to the manifest, OCI distribution-spec, "Listing Referrers": from the API, page by
 * page, and where the registry has none, from the index under the fallback tag. Where a later page
 * fails, whoever is told of what is skipped gets the others, and is told; for everybody else the list fails.
 */
export async function listReferrers(
  session: RepositorySession,
  of: ReferrersOf,
  signal: AbortSignal,
): Promise<readonly Referrer[]> {
  return (await fromApi(session, of, signal)) ?? (await underFallbackTag(session, of, signal))
}

/** The same from the API alone; undefined where there is none. */
export async function listReferrersByApi(
  session: RepositorySession,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Referrer[] | undefined> {
  return await fromApi(session, { subject }, signal)
}

/** Whether the registry keeps such lists by itself, judged by that of this manifest. */
export async function hasReferrersApi(
  session: RepositorySession,
  subject: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  return (
    session.learned.referrersApis.shown ||
    (await askApi(session, askingFor(session, subject), signal)) !== undefined
  )
}

async function underFallbackTag(
  session: RepositorySession,
  { subject, skipped }: ReferrersOf,
  signal: AbortSignal,
): Promise<readonly Referrer[]> {
  const tag = referrerTag(subject, 'fallback')
  const index = tag && (await getManifest(session, tag, signal))
  // GitLab answers with the image itself.
  if (index === undefined || index.digest === subject || !isIndexType(index.mediaType)) return []
  const list = parseReferrerList(index.bytes, skipped)
  return list.ok ? list.value : []
}

/** Undefined when the registry has no such API. */
async function fromApi(
  session: RepositorySession,
  { subject, skipped }: ReferrersOf,
  signal: AbortSignal,
): Promise<readonly Referrer[] | undefined> {
  const asking = askingFor(session, subject)
  const first = await unlessRefused(session, asking, signal)
  if (first === undefined) return undefined
  const found = [...referrersOn(first, asking.operation, skipped)]
  try {
    for await (const page of pagesAfter(session, first, asking, signal)) {
      found.push(...referrersOn(page, asking.operation, skipped))
    }
  } catch (error) {
    signal.throwIfAborted()
    // A part that nobody knows to be one would pass for the whole.
    if (skipped === undefined) throw error
    skipped(messageOf(error))
  }
  return found
}

/** A registry that gives the image and refuses the list has none. */
async function unlessRefused(
  session: RepositorySession,
  asking: PageRequest,
  signal: AbortSignal,
): Promise<Page | undefined> {
  try {
    return await askApi(session, asking, signal)
  } catch (error) {
    if (isRefusal(error) && (await isReadable(session, signal))) return undefined
    throw error
  }
}

/** The first page; undefined when the registry has no such API. */
async function askApi(
  session: RepositorySession,
  asking: PageRequest,
  signal: AbortSignal,
): Promise<Page | undefined> {
  const { repository } = session
  const { referrersApis } = session.learned
  if (referrersApis.lacks(repository)) return undefined
  const page = await readPage(session, asking, signal)
  // A front door that answers everything with a page of its own is no API.
  const first = isListPage(page) ? page : undefined
  if (first === undefined) referrersApis.noteAbsent(repository)
  else referrersApis.noteAnswer()
  return first
}

function askingFor(session: RepositorySession, subject: Digest): PageRequest {
  return {
    operation: operationOf(session, 'manifest', `list what refers to ${subject} at`),
    url: session.links.referrers(session.repository, subject),
    ...{ scopes: session.readScopes, accept: OCI_INDEX },
    // Registries without the API answer 404, some of them 405 or that they do not know the path or the type.
    ...{ none: [400, 404, 405, 406, 415, 422, 501], maxBytes: MAX_MANIFEST_BYTES },
    unknownPath: () => {
      session.learned.referrersApis.noteUnknownPath(session.repository)
    },
  }
}

async function* pagesAfter(
  session: RepositorySession,
  first: Page,
  asking: PageRequest,
  signal: AbortSignal,
): AsyncGenerator<Page> {
  let url = first.next()
  for (let count = 1; url !== undefined; count += 1) {
    if (count === MAX_PAGES) throw wrongAnswer(asking.operation, 'its list has no end.')
    const page = await readPage(session, { ...asking, url }, signal)
    if (!isListPage(page)) throw wrongAnswer(asking.operation, 'a page of its list is none.')
    yield page
    url = page.next()
  }
}

function isListPage(page: Page | undefined): page is Page {
  return page?.contentType.trim().toLowerCase().startsWith(OCI_INDEX) === true
}

function referrersOn(
  { bytes, complete }: Page,
  operation: Operation,
  skipped: ReferrersOf['skipped'],
): readonly Referrer[] {
  if (!complete) throw new UnsupportedManifestError(operation, 'the list is larger than 4 MiB')
  const list = parseReferrerList(bytes, skipped)
  if (!list.ok) throw wrongAnswer(operation, `the list cannot be read: ${list.reason}.`)
  return list.value
}
