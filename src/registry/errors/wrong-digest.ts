import { setTimeout as pause } from 'node:timers/promises'
import type { Digest } from '../../oci/digest.ts'
import { abortReason } from '../../waiting/aborting.ts'
import type { Operation } from '../words/operation.ts'
import { partyOf, RegistryError } from './registry-error.ts'

/** A manifest that has another digest than the one that was asked for, or that its answer names. */
export class WrongDigestError extends RegistryError {
  override readonly name = 'WrongDigestError'
  readonly got: Digest

  constructor(operation: Operation, expected: Digest, got: Digest) {
    super(`${operation.intent} failed: expected the manifest ${expected}, got ${got}.`, {
      disposition: 'transient',
      ...partyOf(operation),
    })
    this.got = got
  }
}

/** A cache that is being filled gives the manifest with the digest of the one before, mostly for less than that. */
const AGAIN_AFTER_MS = 1_000

/**
 * Reads again, a little later, what had the wrong digest: the tag may have moved between the two, bytes got lost on
 * the way, or a cache had one of the two only. The same wrong digest twice is no accident, and no later attempt gets
 * anything else.
 */
export async function readTwice<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof WrongDigestError)) throw error
    await pause(AGAIN_AFTER_MS, undefined, { signal }).catch(() => {
      throw abortReason(signal)
    })
    return await read().catch((again: unknown) => {
      const isSame = again instanceof WrongDigestError && again.got === error.got
      throw isSame ? lasting(again) : again
    })
  }
}

function lasting(error: WrongDigestError): RegistryError {
  const { registry, side } = error
  const message = `${error.message.slice(0, -1)}, twice. ${ADVICE}`
  return new RegistryError(message, { disposition: 'permanent', registry, side, cause: error })
}

const ADVICE =
  'The registry or a proxy before it changes manifests, or names a wrong digest in Docker-Content-Digest: ask whoever runs it, and ask again with "pullsync jobs retry" once that is mended.'
