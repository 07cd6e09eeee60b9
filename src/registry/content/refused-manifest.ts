import { projectOf } from '../../oci/reference.ts'
import type { Certainty } from '../../replication/ports.ts'
import { RegistryError } from '../errors/registry-error.ts'
import { readPage } from './read-page.ts'
import { type LearnedRight, operationOf, type RepositorySession } from '../session.ts'

/** That a project may be read is believed for so long after the latest answer that showed it. */
const READ_MS = 600_000
/** Rights may be given at any moment; until then a refusal is told without asking further. */
const REFUSED_MS = 15_000
const MAX_LEARNED = 2_000
const ONE_TAG = 1

/** The registry has given content of this repository: what it refuses of the same project is not there. */
export function noteReadable(session: RepositorySession): void {
  learn(session, projectOf(session.repository), { may: 'read', until: Date.now() + READ_MS })
}

/** Whether the right to read the repository's project was shown lately, and the account is still taken. */
export async function isReadable(
  session: RepositorySession,
  signal: AbortSignal,
): Promise<boolean> {
  const right = session.learned.rights.get(projectOf(session.repository))
  if (right?.may !== 'read' || right.until <= Date.now()) return false
  return await isKnown(session, signal)
}

function learn({ learned: { rights } }: RepositorySession, of: string, right: LearnedRight): void {
  rights.delete(of)
  rights.set(of, right)
  const [oldest] = rights.keys()
  if (rights.size > MAX_LEARNED && oldest !== undefined) rights.delete(oldest)
}

/** Whether an error is a refusal that many registries answer also for what is not there. */
export function isRefusal(error: unknown): error is RegistryError {
  return error instanceof RegistryError && (error.status === 401 || error.status === 403)
}

/**
 * What a refused manifest is: one that is not there, or the error to throw. Artifactory's virtual
 * repositories answer 403 for a missing tag; Harbor 401 for a missing project, which it names; Docker
 * Hub, GHCR and Quay 401 or 403 for a missing repository. The right to read, shown by another request
 * of the same project, tells. Where the credentials themselves are refused, nothing is known of the content.
 */
export async function meaningOf(
  session: RepositorySession,
  refusal: RegistryError,
  signal: AbortSignal,
  { certain = false }: Certainty = {},
): Promise<'absent' | RegistryError> {
  const upstream = session.identity.side === 'upstream'
  // Locally that is a mistake of the set-up, which its error explains.
  if (/project \S+ not found/i.test(refusal.message)) return upstream ? 'absent' : refusal
  // A right that was shown before may have been taken away since: Harbor, which says so, answers 404 to what is
  // missing in a project that may be read.
  const withdrawn = /unauthorized to access repository/i.test(refusal.message)
  if (!withdrawn && !certain && (await isReadable(session, signal))) return 'absent'
  const may = await mayOf(session, signal)
  if (may === 'read') return 'absent'
  return may === 'be-denied' ? denial(refusal) : refusal
}

async function mayOf(
  session: RepositorySession,
  signal: AbortSignal,
): Promise<LearnedRight['may']> {
  // No project has such a name.
  const key = `of ${session.repository}`
  const known = session.learned.rights.get(key)
  if (known !== undefined && known.until > Date.now()) return known.may
  if (await listsTags(session, signal)) return 'read'
  const upstream = session.identity.side === 'upstream'
  const may = upstream && (await isKnown(session, signal)) ? 'be-denied' : 'nothing'
  learn(session, key, { may, until: Date.now() + REFUSED_MS })
  return may
}

/** Whether the registry takes us for who we are, be it for nobody in particular. */
async function isKnown(
  { identity, prove }: RepositorySession,
  signal: AbortSignal,
): Promise<boolean> {
  if (identity.anonymous) return true
  try {
    await prove(signal)
    return true
  } catch (error) {
    if (error instanceof RegistryError) return false
    throw error
  }
}

function denial(refusal: RegistryError): RegistryError {
  const { disposition, registry, side, status, codes } = refusal
  const answer = { ...(status !== undefined && { status }), codes }
  const failure = { disposition, registry, side, ...answer, denied: true, cause: refusal }
  return new RegistryError(refusal.message, failure)
}

/** A list of tags shows the right to read; that there is no such repository tells as much. */
async function listsTags(session: RepositorySession, signal: AbortSignal): Promise<boolean> {
  const { links, repository, readScopes: scopes } = session
  const asking = {
    operation: operationOf(session, 'manifest', `list the tags of ${repository} in`),
    url: links.tags(repository, ONE_TAG),
    ...{ scopes, none: [404], maxBytes: 64 * 1024 },
  }
  try {
    if ((await readPage(session, asking, signal)) !== undefined) noteReadable(session)
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
