import type { Descriptor } from '../../oci/descriptor.ts'
import type { UploadCheckpoint, UploadState } from '../../replication/ports.ts'
import { RegistryError } from '../errors/registry-error.ts'
import type { RepositorySession } from '../session.ts'
import { type UploadStatus, uploadStatus } from './uploads.ts'

/**
 * The upload of that blob that somebody began, as far as the registry has come with it; undefined when it is to be
 * begun anew. What came of a request that was cut counts where the registry keeps it (distribution 3).
 */
export async function continuedUpload(
  session: RepositorySession,
  descriptor: Descriptor,
  checkpoint: UploadCheckpoint,
  signal: AbortSignal,
): Promise<UploadStatus | undefined> {
  const state = await checkpoint.load()
  if (state === undefined) return undefined
  const found = await statusOf(session, descriptor, state, signal)
  if (found === undefined) await checkpoint.clear()
  return found
}

async function statusOf(
  session: RepositorySession,
  { size }: Descriptor,
  state: UploadState,
  signal: AbortSignal,
): Promise<UploadStatus | undefined> {
  if (!URL.canParse(state.location)) return undefined
  try {
    const status = await uploadStatus(session, new URL(state.location), signal)
    // Of the first byte, registries say the same as of none.
    if (status === undefined || status.offset <= 1) return undefined
    return status.offset >= state.offset && status.offset <= size ? status : undefined
  } catch (error) {
    // Whatever the registry says of an upload that it will not continue, a new one is as good.
    if (error instanceof RegistryError && error.status !== undefined && error.status < 500) {
      return undefined
    }
    throw error
  }
}
