import { formatImageName, isTag, type Reference } from '../../oci/reference.ts'
import { MAX_ERROR_BYTES, parseErrorBody } from '../errors/error-body.ts'
import { removeTag } from '../harbor/remove-tag.ts'
import { discard, readUpTo } from '../transport/body.ts'
import { idempotent } from '../transport/retry.ts'
import { scopeOf } from '../words/scopes.ts'
import { operationOf, type RepositorySession } from '../session.ts'

/**
 * OCI distribution-spec, "Deleting tags" and "Deleting Manifests". False where the registry does not
 * delete by such a reference, or not at all. What is gone already is deleted.
 */
export async function deleteManifest(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
): Promise<boolean> {
  const { links, repository, askHarbor } = session
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
  if (response.status !== 400) {
    discard(response.body)
    return response.status !== 405
  }
  const { bytes } = await readUpTo(MAX_ERROR_BYTES, response.body)
  // Harbor, which leaves tags to its own API.
  const mayBeHarbor = parseErrorBody(bytes).codes.includes('UNSUPPORTED')
  return (
    mayBeHarbor &&
    isTag(reference) &&
    (await removeTag(askHarbor, { repository, tag: reference }, signal))
  )
}
