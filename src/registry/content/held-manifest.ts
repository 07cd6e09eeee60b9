import { isTag, type Reference } from '../../oci/reference.ts'
import type { Held } from '../../replication/ports.ts'
import { RegistryError } from '../errors/registry-error.ts'
import type { RepositorySession } from '../session.ts'
import { headManifest } from './manifests.ts'

/** What a policy of the registry withholds is there; of a tag it does not tell the digest then. */
export async function heldAt(
  session: RepositorySession,
  reference: Reference,
  signal: AbortSignal,
): Promise<Held | undefined> {
  try {
    const head = await headManifest(session, reference, signal)
    return head && { digest: head.digest, withheld: false }
  } catch (error) {
    if (!(error instanceof RegistryError) || !error.withheld) throw error
    return { digest: isTag(reference) ? undefined : reference, withheld: true }
  }
}
