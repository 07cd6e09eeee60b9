import { secretIn } from '../../config/reading/file-references.ts'
import { readBounded } from '../../config/reading/read-bounded.ts'
import type { RegistryIdentity } from '../words/identity.ts'
import { credentialFailure } from './credential-failure.ts'
import { type FetchCredentials, loginOf } from '../words/credentials.ts'

/** How old what was read of a file may be. Whoever rotates files keeps the old token good for longer. */
export const FILE_FRESH_MS = 1_000

/**
 * A token in a file that somebody else keeps fresh, as a kubelet does: read again whenever it is used.
 * With a username it is that user's password, otherwise what the registry itself takes.
 */
export function accessTokenFile(
  registry: RegistryIdentity,
  file: string,
  username: string | undefined,
): FetchCredentials {
  return async () => {
    const read = await readBounded(file)
    const token = read.ok ? secretIn(read.text).trim() : ''
    if (token === '') {
      const why = read.ok ? 'it is empty' : read.reason
      const what = `cannot read ${registry.keys}.accessTokenFile ${file}: ${why}.`
      throw credentialFailure(registry, what, 'transient')
    }
    const credentials =
      username === undefined
        ? ({ kind: 'access-token', token: checked(registry, file, token) } as const)
        : loginOf(username, token)
    return { credentials, freshForMs: FILE_FRESH_MS }
  }
}

// What is not visible ASCII could not be sent in a header.
function checked(registry: RegistryIdentity, file: string, token: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token
  const what = `${registry.keys}.accessTokenFile ${file} holds something else than one token.`
  throw credentialFailure(registry, what, 'permanent')
}
