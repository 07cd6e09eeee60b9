import type { ProjectConfig } from '../../config/config.ts'
import type { Repository } from '../../oci/reference.ts'
import { matchersOf, projectOfLocal, upstreamName } from '../../policy/matching.ts'
import { upstreamsOfHost, type UpstreamUrls } from '../manifests/upstream-of-host.ts'
import type { ListWish } from './upstream-lists.ts'

export interface ListedConfig {
  readonly projects: readonly ProjectConfig[]
  readonly upstreams: UpstreamUrls
}

export interface ListedUpstream {
  readonly project: ProjectConfig
  readonly wish: ListWish
}

/** Whose lists belong to those of a local repository; undefined where its project takes nothing by itself. */
export function listedUpstream(
  repository: Repository,
  url: string,
  { projects, upstreams }: ListedConfig,
): ListedUpstream | undefined {
  const project = projectOfLocal(repository, projects)
  if (project?.autoSync !== true || !matchersOf(project).repository(repository)) return undefined
  const upstreamRepository = upstreamName(repository, project)
  const host = queryOf(url).get('ns') ?? undefined
  const [first, ...rest] = upstreamsOfHost(project.upstreams, upstreams, host)
  if (upstreamRepository === undefined || first === undefined) return undefined
  const freshForMs = project.revalidateAfterMs
  return { project, wish: { upstreams: [first, ...rest], upstreamRepository, freshForMs } }
}

export function queryOf(url: string): URLSearchParams {
  return new URLSearchParams(url.split('?', 2)[1])
}
