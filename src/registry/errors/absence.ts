import type { Certainty } from '../../replication/ports.ts'
import { RegistryError } from './registry-error.ts'

const UNKNOWN = ['MANIFEST_UNKNOWN', 'NAME_UNKNOWN']
// What an upstream cannot have it has not; the local registry is to have it, and says why it cannot.
const IMPOSSIBLE = ['NAME_INVALID', 'TAG_INVALID']

/**
 * Whether an answer says by its code that there is no such image, though its status is not 404. Registries
 * with stricter rules for names than the OCI distribution-spec answer 400 or 422 for one that breaks them;
 * where it is to be certain, that may be the word of somebody in between.
 */
export function isAbsence(error: unknown, { certain = false }: Certainty = {}): boolean {
  if (!(error instanceof RegistryError) || (error.status !== 400 && error.status !== 422)) {
    return false
  }
  const codes = error.side === 'upstream' && !certain ? [...UNKNOWN, ...IMPOSSIBLE] : UNKNOWN
  return error.codes.some((code) => codes.includes(code))
}
