import type { Digest } from '../oci/digest.ts'
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts'
import { OCI_INDEX } from '../oci/media-types.ts'
import { parseReferrerList, type Referrer } from '../oci/referrer-list.ts'
import { referrerTag } from '../oci/referrer-tag.ts'
import { UnsupportedManifestError, wrongAnswer } from './errors.ts'
import { getManifest } from './manifests.ts'
import type { Operation } from './operation.ts'
import { type Page, readPage } from './read-page.ts'
import { operationOf, type RepositorySession } from './session.ts'

/** An image with more is not signed, it is under attack. */
const MAX_PAGES = 20
// A registry can be upgraded; one 404 in an hour costs nothing.
const ASK_AGAIN_MS = 3_600_000

/**
 * What refers to the manifest, OCI distribution-spec, "Listing Referrers": from the API, page by
 * page, and where the registry has none, from the index under the fallback tag.
 */
export async function listReferrers(
  session: RepositorySession,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Referrer[]> {
  const listed = await askApi(session, subject, signal)
  if (listed !== undefined) return listed
  const tag = referrerTag(subject, 'fallback')
  const index = tag && (await getManifest(session, tag, signal))
  const list = index && parseReferrerList(index.bytes)
  return list?.ok === true ? list.value : []
}

/** Whether the registry keeps such lists by itself, judged by that of this manifest. */
export async function hasReferrersApi(
  session: RepositorySession,
  subject: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  return session.learned.hasReferrersApi || (await askApi(session, subject, signal)) !== undefined
}

async function askApi(
  session: RepositorySession,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Referrer[] | undefined> {
  const { learned } = session
  if (Date.now() < learned.noReferrersApiUntil) return undefined
  const listed = await fromApi(session, subject, signal)
  learned.hasReferrersApi = listed !== undefined
  if (listed === undefined) learned.noReferrersApiUntil = Date.now() + ASK_AGAIN_MS
  return listed
}

/** Undefined when the registry has no such API. */
async function fromApi(
  session: RepositorySession,
  subject: Digest,
  signal: AbortSignal,
): Promise<readonly Referrer[] | undefined> {
  const operation = operationOf(session, 'manifest', `list what refers to ${subject} at`)
  const asking = {
    ...{ operation, scopes: session.readScopes, accept: OCI_INDEX },
    // Registries without the API answer 404, some of them 405 or that they do not know the path.
    ...{ none: [400, 404, 405, 501], maxBytes: MAX_MANIFEST_BYTES },
  }
  const found: Referrer[] = []
  let url: URL | undefined = session.links.referrers(session.repository, subject)
  for (let count = 0; url !== undefined && count < MAX_PAGES; count += 1) {
    const page: Page | undefined = await readPage(session, { ...asking, url }, signal)
    // A front door that answers everything with a page of its own is no API.
    if (!page?.contentType.startsWith(OCI_INDEX)) return count === 0 ? undefined : found
    found.push(...referrersOn(page, operation))
    url = page.next
  }
  return found
}

function referrersOn({ bytes, complete }: Page, operation: Operation): readonly Referrer[] {
  if (!complete) throw new UnsupportedManifestError(operation, 'the list is larger than 4 MiB')
  const list = parseReferrerList(bytes)
  if (!list.ok) throw wrongAnswer(operation, `the list cannot be read: ${list.reason}.`)
  return list.value
}
