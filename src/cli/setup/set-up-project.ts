import type { ProjectConfig } from '../../config/config.ts'
import { makeProject } from '../../registry/harbor/make-project.ts'
import { type HarborProject, projectExists, readProject } from '../../registry/harbor/projects.ts'
import { CommandError } from '../command-error.ts'
import type { Done } from './done.ts'
import type { Side, SideProject } from './sides.ts'
import type { SetupRun } from './setup-run.ts'

/** Upstream it has to be there; locally it is made, public where it is public upstream. */
export async function setUpProject(
  side: Side,
  { project, name }: SideProject,
  run: SetupRun,
): Promise<Done> {
  const { ask, config } = side
  const done = { what: `the project ${name}`, at: config.id }
  const shown = await readProject(ask, name, run.signal)
  if (shown?.isProxyCache === true && config.id === 'local') {
    const note = 'it is a proxy cache, which takes no pushes; what its type is cannot be changed'
    return { ...done, did: 'failed', note }
  }
  if (shown !== undefined) return { ...done, did: 'kept', ...aboutPolicies(side, project, shown) }
  if ((await projectExists(ask, name, run.signal)) === true) {
    throw new CommandError(
      `the administrator given for ${config.id} may not see the project ${name}`,
    )
  }
  if (config.id !== 'local') return { ...done, did: 'failed', note: 'it is not there' }
  const isPublic = run.isPublicUpstream(project)
  if (!run.dryRun) await makeProject(ask, { name, isPublic }, run.signal)
  return { ...done, did: 'made', note: isPublic ? 'public, as it is upstream' : 'private' }
}

/** Before the first refusal nobody knows that content waits for Harbor's word; here it can be read. */
function aboutPolicies(
  { config }: Side,
  { policy }: ProjectConfig,
  { policies }: HarborProject,
): Pick<Done, 'note'> {
  if (config.id !== 'local' || policy === 'local' || policies.length === 0) return {}
  return { note: `here, ${policies.join(', and ')}: set policy: local for this project` }
}

/** Whether any upstream of the project gives it to everybody. */
export async function publicUpstreams(
  sides: readonly Side[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const upstream = sides.filter(({ config }) => config.id !== 'local')
  const asked = upstream.flatMap(({ ask, projects }) =>
    projects.map(async ({ project, name }) => {
      const shown: HarborProject | undefined = await readProject(ask, name, signal)
      return shown?.isPublic === true ? [project.name] : []
    }),
  )
  return new Set((await Promise.all(asked)).flat())
}
