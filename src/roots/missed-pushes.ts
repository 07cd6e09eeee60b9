import type { Config, ProjectConfig } from '../config/config.ts'
import type { FormatName } from '../events/formats.ts'

/** They keep an event until it is taken. */
const NEVER_GIVE_UP: ReadonlySet<FormatName> = new Set(['distribution', 'gitlab'])

type Sources = Config['sources']

/** The projects with an upstream that may have told of a push in vain. */
export function projectsToCatchUp({ projects, sources }: Config): readonly string[] {
  return projects
    .filter((project) => upstreamsThatGiveUp(project, sources).length > 0)
    .map(({ name }) => name)
}

/** Those of a project whose registry tells of a push a few times at most. */
export function upstreamsThatGiveUp(project: ProjectConfig, sources: Sources): readonly string[] {
  if (!project.autoSync || project.onUpstreamPush === 'ignore') return []
  const all = [...sources.values()]
  return project.upstreams.filter((id) =>
    all.some(({ registry, format }) => registry === id && !NEVER_GIVE_UP.has(format)),
  )
}
