import type { Digest } from '../../oci/digest.ts'
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

/**
 * Reads again what had the wrong digest: the tag may have moved between the two, or bytes got lost on the
 * way. The same wrong digest twice is no accident, and no later attempt gets anything else.
 */
export async function readTwice<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof WrongDigestError)) throw error
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
