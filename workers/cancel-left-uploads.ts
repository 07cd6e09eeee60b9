import type { Digest } from '../src/oci/digest.ts'
import type { LeftUpload, OpenUploads } from '../src/pool/open-uploads.ts'
import type { BlobLedger } from '../src/replication/graph/blob-ledger.ts'
import type { RegistryRepository } from '../src/registry/repository.ts'
import type { OpenRegistries } from '../src/roots/open-registries.ts'

const SWEEP_EVERY_MS = 10_000
/** By then somebody continues it, or nobody will. */
const CONTINUED_WITHIN_MS = 15 * 60_000
/** A registry that does not cancel it by then never will. */
const TRIED_FOR_MS = 60 * 60_000
const LOOK_WITHIN_MS = 10_000

export interface LeftUploadsParts {
  readonly uploads: Pick<OpenUploads, 'claim' | 'forget'>
  readonly registries: Pick<OpenRegistries, 'local'>
  readonly ledger: Pick<BlobLedger, 'checkpoint'>
}

/** Cancels, again and again, what workers that died have begun to upload and nobody continues. */
export function cancelLeftUploads(parts: LeftUploadsParts): Disposable {
  let sweeping = false
  const timer = setInterval(() => {
    if (sweeping) return
    sweeping = true
    void sweep(parts).finally(() => {
      sweeping = false
    })
  }, SWEEP_EVERY_MS).unref()
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer)
    },
  }
}

/** Never rejects. */
async function sweep({ uploads, registries, ledger }: LeftUploadsParts): Promise<void> {
  for (const left of await uploads.claim()) {
    const repository = registries.local.repository(left.repository)
    if (await isToBeContinued(left, ledger, repository)) continue
    const isGone = await repository.cancelUpload(left.location)
    if (isGone || left.ageMs > TRIED_FOR_MS) await uploads.forget(left)
  }
}

async function isToBeContinued(
  { repository, digest, location, ageMs }: LeftUpload,
  ledger: LeftUploadsParts['ledger'],
  local: Pick<RegistryRepository, 'hasBlob'>,
): Promise<boolean> {
  const checkpoint = ledger.checkpoint(digest, repository)
  const state = await checkpoint.load()
  if (state === undefined || !URL.canParse(state.location)) return false
  if (new URL(state.location).pathname !== location.pathname) return false
  if (ageMs <= CONTINUED_WITHIN_MS && !(await isThere(local, digest))) return true
  await checkpoint.clear()
  return false
}

/** It may have come by another way: mounted, or pushed by somebody else. */
async function isThere(
  local: Pick<RegistryRepository, 'hasBlob'>,
  digest: Digest,
): Promise<boolean> {
  try {
    return await local.hasBlob(digest, AbortSignal.timeout(LOOK_WITHIN_MS))
  } catch {
    return false
  }
}
