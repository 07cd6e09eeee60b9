import type { Config, ProjectConfig } from '../../config/config.ts'
import { parseRepository, parseTag, type Repository } from '../../oci/reference.ts'
import type { Action } from '../../registry/content/prove-access.ts'
import { isHarbor } from '../../registry/harbor/projects.ts'
import { RegistryError } from '../../registry/errors/registry-error.ts'
import type { Registry } from '../../registry/registry.ts'
import { ConcurrencyLimit } from '../../waiting/concurrency-limit.ts'
import type { ProjectSide } from './project-side.ts'
import { type CheckResult, outcomeOf } from './check-result.ts'
import { judgeAccess, type Verdict } from './judge-access.ts'
import { lookAtHarborProject } from './harbor-project.ts'

const PROJECT_WITHIN_MS = 10_000
const AT_ONCE = 8

/**
 * What each project needs of each of its registries, and whether it has it: nothing is written. The project `*`
 * stands for any name, so there is nothing to ask for.
 *
 * @param open the registries that answer
 */
export async function checkProjects(
  config: Config,
  open: ReadonlyMap<string, Registry>,
): Promise<readonly CheckResult[]> {
  const harbors = await whichAreHarbor(open)
  const sides = config.projects
    .filter(({ name }) => name !== '*')
    .flatMap((project) => sidesOf(project, config))
    .flatMap((side) => {
      const registry = open.get(side.at.id)
      return registry === undefined
        ? []
        : [{ ...side, registry, isHarbor: harbors.has(registry.id) }]
    })
  const results = new Map<ProjectSide, CheckResult>()
  await new ConcurrencyLimit(AT_ONCE).each(sides, async (side) => {
    results.set(side, await checkSide(side))
  })
  return sides.flatMap((side) => results.get(side) ?? [])
}

async function whichAreHarbor(open: ReadonlyMap<string, Registry>): Promise<ReadonlySet<string>> {
  const signal = AbortSignal.timeout(PROJECT_WITHIN_MS)
  const asked = await Promise.all(
    [...open.values()].map(async ({ id, askHarbor }) =>
      (await isHarbor(askHarbor, signal).catch(() => false)) ? [id] : [],
    ),
  )
  return new Set(asked.flat())
}

function sidesOf(project: ProjectConfig, { local, upstreams }: Config) {
  const writes: readonly Action[] =
    project.onUpstreamDelete === 'delete' ? ['pull', 'push', 'delete'] : ['pull', 'push']
  const reads: readonly Action[] = ['pull']
  return [
    { project, name: project.name, at: local, actions: writes },
    ...project.upstreams.flatMap((id) => {
      const at = upstreams.get(id)
      const name = project.upstreamProject ?? project.name
      return at === undefined ? [] : [{ project, name, at, actions: reads }]
    }),
  ]
}

async function checkSide(side: ProjectSide): Promise<CheckResult> {
  const { project, name, at, registry, actions } = side
  const place = { name: `project ${project.name}`, at: `${at.url.origin}/${name}` }
  return await outcomeOf(place, async () => {
    const signal = AbortSignal.timeout(PROJECT_WITHIN_MS)
    const asked = repositoryIn(project, name)
    if (await leadsBack(side, asked.repository, signal)) return { ok: false, message: LOOP }
    const proven = await registry.repository(asked.repository).proveAccess(actions, signal)
    const verdict = judgeAccess(side, proven, asked.isReal)
    return side.isHarbor && verdict.ok
      ? joined(verdict, await lookAtHarborProject(side, signal))
      : verdict
  })
}

/**
 * Whether `local.url` is the gateway, or a proxy that hands misses over to it also when the gateway asks. Shown by
 * what is not there, so it is asked for a tag that nobody has.
 */
async function leadsBack(
  { at, registry }: ProjectSide,
  repository: Repository,
  signal: AbortSignal,
): Promise<boolean> {
  const tag = parseTag(MADE_UP)
  if (at.id !== 'local' || !tag.ok) return false
  try {
    await registry.repository(repository).headManifest(tag.value, signal)
    return false
  } catch (error) {
    if (error instanceof RegistryError) return error.status === LOOP_DETECTED
    throw error
  }
}

/** The gateway's answer to what it has seen before; RFC 5842, section 7.2. */
const LOOP_DETECTED = 508
const LOOP =
  "local.url leads back to pullsync's own gateway, which cannot find out there what is missing. Set it to an address of the registry that does not come through the gateway; before Harbor's own nginx, use the file of \"pullsync print nginx --harbor\", which knows the gateway's requests."

interface AskedRepository {
  readonly repository: Repository
  /** One that the configuration names, and not one that is made up to ask for. */
  readonly isReal: boolean
}

const MADE_UP = 'pullsync-check'

function repositoryIn({ repositories }: ProjectConfig, project: string): AskedRepository {
  const named = repositories.include.find((pattern) => /^[a-z0-9/._-]+$/.test(pattern))
  const parsed = parseRepository(`${project}/${named ?? MADE_UP}`)
  if (parsed.ok) return { repository: parsed.value, isReal: named !== undefined }
  throw new Error(`${JSON.stringify(project)} cannot be the name of a project`)
}

function joined(access: Verdict, found: Verdict): Verdict {
  return {
    ok: found.ok,
    message: found.ok ? access.message : found.message,
    notes: [...(access.notes ?? []), ...(found.notes ?? [])],
  }
}
