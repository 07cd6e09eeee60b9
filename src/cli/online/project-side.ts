import type { ProjectConfig, RegistryConfig } from '../../config/config.ts'
import type { Action } from '../../registry/content/prove-access.ts'
import type { Registry } from '../../registry/registry.ts'

/** One side of a project: where it is, and what has to be allowed there. */
export interface ProjectSide {
  readonly project: ProjectConfig
  /** The project's name there. */
  readonly name: string
  readonly at: RegistryConfig
  readonly registry: Registry
  readonly actions: readonly Action[]
  /** Its API can be asked. */
  readonly isHarbor: boolean
}
