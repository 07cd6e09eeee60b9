import { MAX_ERROR_BYTES, parseErrorBody } from '../errors/error-body.ts'
import { operationOf, type RepositorySession } from '../session.ts'
import { readUpTo } from '../transport/body.ts'
import { idempotent } from '../transport/retry.ts'

/** What can be done with a repository; in the words of the distribution project's token scopes. */
export type Action = 'pull' | 'push' | 'delete'

/** What a registry says of this account's rights to a repository. */
export type ProvenAccess =
  | {
      readonly kind: 'readable'
      /** What its token does not allow of what was wanted; undefined where no token tells. */
      readonly lacks: readonly Action[] | undefined
    }
  /** Harbor names a project that is not there. */
  | { readonly kind: 'no-project' }
  | { readonly kind: 'refused'; readonly status: number; readonly said: string }

/**
 * Asks for the token that these actions need, and for a list of tags with it: nothing is written. The repository
 * need not be there.
 *
 * @throws RegistryError where the registry says nothing of rights
 */
export async function proveAccess(
  session: RepositorySession,
  actions: readonly Action[],
  signal: AbortSignal,
): Promise<ProvenAccess> {
  const { links, repository, send } = session
  const scopes = actions.map((action) => `repository:${repository}:${action}`)
  const response = await send({
    operation: operationOf(session, 'check', `look up the rights to ${repository} in`),
    ...{ method: 'GET', url: links.tags(repository, 1), scopes },
    ...{ expect: [200, 401, 403, 404], repeatable: idempotent, signal },
  })
  const { bytes } = await readUpTo(MAX_ERROR_BYTES, response.body)
  const { status, lacks } = response
  if (status === 200 || status === 404) {
    const lacking = actions.filter((_, at) => lacks?.includes(scopes[at] ?? ''))
    return { kind: 'readable', lacks: lacks && lacking }
  }
  const said = parseErrorBody(bytes).text
  if (/project \S+ not found/i.test(said)) return { kind: 'no-project' }
  return { kind: 'refused', status, said }
}
