import type { Config, RegistryConfig } from '../../config/config.ts'
import type { ImageName } from '../../oci/reference.ts'
import { projectOfLocal, upstreamName } from '../../policy/matching.ts'
import { USER_AGENT } from '../../version.ts'
import { messageOf } from '../../thrown.ts'

/** What one registry says of an image. */
export interface Whereabouts {
  /** `local`, or the upstream's id. */
  readonly registry: string
  readonly at: string
  /** Absent where it has none, or could not be asked. */
  readonly digest?: string
  /** Why it could not be asked. */
  readonly problem?: string
}

const WITHIN_MS = 10_000

/** Asks the local registry and the upstreams of the image's project, by one HEAD each. */
export async function whereabouts(
  image: ImageName,
  config: Config,
): Promise<readonly Whereabouts[]> {
  const project = projectOfLocal(image.repository, config.projects)
  const upstreamRepository = project && upstreamName(image.repository, project)
  const upstreams = (project?.upstreams ?? []).flatMap((id) => config.upstreams.get(id) ?? [])
  return await Promise.all([
    ask(config.local, image),
    ...(upstreamRepository === undefined
      ? []
      : upstreams.map((upstream) => ask(upstream, { ...image, repository: upstreamRepository }))),
  ])
}

async function ask(
  config: RegistryConfig,
  { repository, reference }: ImageName,
): Promise<Whereabouts> {
  const place = { registry: config.id, at: `${config.url.host}/${repository}` }
  try {
    // Loading the registry client takes longer than most commands.
    const { openRegistry } = await import('../../registry/registry.ts')
    const registry = openRegistry(config, { userAgent: USER_AGENT })
    const head = await registry
      .repository(repository)
      .headManifest(reference, AbortSignal.timeout(WITHIN_MS))
      .finally(() => registry[Symbol.asyncDispose]())
    return { ...place, ...(head?.digest !== undefined && { digest: head.digest }) }
  } catch (error) {
    return { ...place, problem: messageOf(error) }
  }
}
