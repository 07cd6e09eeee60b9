import type { RegistryIdentity } from '../words/identity.ts'
import { credentialFailure } from './credential-failure.ts'

/**
 * Loads a cloud's own library, which only registries with `auth` need. `load` holds the import
 * itself, so that it has its types. Throws a RegistryError when it is not installed.
 */
export async function loadSdk<T>(
  registry: RegistryIdentity,
  packageName: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const missing =
      error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    if (!missing) throw error
    throw credentialFailure(
      registry,
      `${registry.keys}.auth needs the package ${packageName}, which is not installed here: run "npm install ${packageName}" where pullsync is installed.`,
      'permanent',
    )
  }
}
