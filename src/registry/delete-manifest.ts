import { formatImageName, type Reference } from '../oci/reference.ts'
import { discard } from './body.ts'
import { idempotent } from './retry.ts'
import { scopeOf } from './scopes.ts'
import { operationOf, type RepositorySession } from './session.ts'

/**
 * OCI distribution-spec, "Deleting tags" and "Deleting Manifests". False where the registry does not
 * delete by such a reference, or not at all. What is gone already is deleted.
 */
export async function deleteManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
): Promise<boolean> {
  const { links, repository } = session
  const image = formatImageName(repository, reference)
  const response = await session.send({
    operation: operationOf(session, 'manifest', `delete ${image} from`),
    method: 'DELETE',
    url: links.manifest(repository, reference),
    scopes: [scopeOf(repository, 'pull,push,delete')],
    // distribution 2.8 answers a tag with 400 DIGEST_INVALID, deletions that are off with 405.
    expect: [200, 202, 204, 400, 404, 405],
    repeatable: idempotent,
    signal,
  })
  discard(response.body)
  return response.status !== 400 && response.status !== 405
}
