import { parseRepository, projectOf, type Repository } from '../oci/reference.ts'
import { compileFilter, type NameMatcher } from './name-filter.ts'
import type { Project } from './project.ts'

const ANY = '*'

/** The project that a repository of the local registry belongs to. */
export function projectOfLocal<P extends Project>(
  repository: Repository,
  projects: readonly P[],
): P | undefined {
  const name = projectOf(repository)
  return named(name, projects) ?? named(ANY, projects)
}

/**
 * The name that a local repository has on the project's upstreams; undefined when the other
 * project's name makes it longer than a repository name may be.
 */
export function upstreamName(repository: Repository, project: Project): Repository | undefined {
  return withProject(repository, upstreamProjectOf(project))
}

export interface LocalName {
  readonly project: Project
  /** Undefined when the local project's name makes it longer than a repository name may be. */
  readonly repository: Repository | undefined
}

/** Where a repository of this upstream goes locally; undefined when it goes nowhere. */
export function localName(
  upstreamRepository: Repository,
  upstream: string,
  projects: readonly Project[],
): LocalName | undefined {
  const name = projectOf(upstreamRepository)
  const fed = projects.filter((project) => project.upstreams.includes(upstream))
  const tied = fed.find((project) => upstreamProjectOf(project) === name)
  if (tied !== undefined) {
    return { project: tied, repository: withProject(upstreamRepository, tied.name) }
  }
  // What a project of its own says about this local name goes before `*`.
  const rest = named(name, projects) === undefined ? named(ANY, fed) : undefined
  return rest && { project: rest, repository: upstreamRepository }
}

export interface ProjectMatchers {
  repository(repository: Repository): boolean
  tag(tag: string): boolean
}

const compiled = new WeakMap<Project, ProjectMatchers>()

/** The project's filters, compiled once for as long as the project's object is in use. */
export function matchersOf(project: Project): ProjectMatchers {
  const known = compiled.get(project)
  if (known !== undefined) return known
  const matchers = compile(project)
  compiled.set(project, matchers)
  return matchers
}

function compile({ repositories, tags }: Project): ProjectMatchers {
  const repositoryMatcher: NameMatcher = compileFilter(repositories)
  const tagMatcher: NameMatcher = compileFilter(tags)
  return {
    repository: (repository) => repositoryMatcher([withoutProject(repository), repository]),
    tag: (tag) => tagMatcher([tag]),
  }
}

function named<P extends Project>(name: string, projects: readonly P[]): P | undefined {
  return projects.find((project) => project.name === name)
}

// `*` stands for many projects, which cannot all have the same other name: it keeps theirs.
function upstreamProjectOf(project: Project): string | undefined {
  return project.name === ANY ? undefined : (project.upstreamProject ?? project.name)
}

function withProject(repository: Repository, project: string | undefined): Repository | undefined {
  const name = projectOf(repository)
  if (project === undefined || project === name) return repository
  const renamed = parseRepository(project + repository.slice(name.length))
  return renamed.ok ? renamed.value : undefined
}

/** The rest of its path, which filters are matched against. */
export function withoutProject(repository: Repository): string {
  return repository.slice(projectOf(repository).length + 1)
}
