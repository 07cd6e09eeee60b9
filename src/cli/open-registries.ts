import type { RegistryConfig } from '../config/config.ts'
import type { Registry } from '../registry/registry.ts'
import { USER_AGENT } from '../version.ts'

/**
 * Opens registries, once their client is loaded: that takes longer than most commands. Apart from functions with
 * `await using`, in which TypeScript leaves the address of an `import()` as it is, so that the built program would
 * look for sources.
 */
export async function registryOpener(): Promise<(config: RegistryConfig) => Registry> {
  const { openRegistry } = await import('../registry/registry.ts')
  return (config) => openRegistry(config, { userAgent: USER_AGENT })
}
