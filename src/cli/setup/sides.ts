import type { Config, ProjectConfig, RegistryConfig, SourceConfig } from '../../config/config.ts'
import type { ConfigBeforeSecrets, SecretFile } from '../../config/load-config.ts'
import type { AskHarbor } from '../../registry/harbor/ask-harbor.ts'
import type { RobotPermission } from '../../registry/harbor/robots.ts'
import type { Registry } from '../../registry/registry.ts'
import { CommandError } from '../command-error.ts'

/** One Harbor, and what it is to have. */
export interface Side {
  readonly config: RegistryConfig
  /** Asks as its administrator. */
  readonly admin: Registry
  readonly ask: AskHarbor
  readonly openAs: (login: Administrator) => Registry
  /** The robot as it logs in, and where its secret goes. */
  readonly login: string
  readonly secretFile: SecretFile
  readonly projects: readonly SideProject[]
  /** It is about all projects of the configuration. */
  readonly isWhole: boolean
  /** The source of the configuration that this Harbor's events are for; undefined where there is none. */
  readonly source: SideSource | undefined
}

export interface SideProject {
  readonly project: ProjectConfig
  /** The project's name here. */
  readonly name: string
}

export interface SideSource {
  readonly id: string
  /** Undefined where the secret stands in the configuration itself. */
  readonly secretFile: SecretFile | undefined
  readonly secret: string | undefined
}

export interface Administrator {
  readonly username: string
  readonly password: string
}

export interface Wanted {
  readonly before: ConfigBeforeSecrets
  /** By side; what has none is left alone. */
  readonly administrators: ReadonlyMap<string, Administrator>
  /** Of the configuration; all unless told. */
  readonly projects: readonly string[]
  readonly open: (config: RegistryConfig) => Registry
}

const ROBOT = /^robot\$[a-z0-9]+(?:[._-][a-z0-9]+)*$/

/** The local side first: what upstreams send goes nowhere without it. */
export function sidesOf({ before, administrators, projects, open }: Wanted): readonly Side[] {
  const { config } = before
  const chosen = chosenProjects(config, projects)
  const known = [config.local, ...config.upstreams.values()]
  for (const id of administrators.keys()) {
    if (known.some((each) => each.id === id)) continue
    const ids = known.map((each) => each.id).join(', ')
    throw new CommandError(`there is no ${JSON.stringify(id)} in ${config.file}; there is ${ids}`)
  }
  return known.flatMap((each) => {
    const administrator = administrators.get(each.id)
    if (administrator === undefined) return []
    const openAs = (login: Administrator) => open(withLogin(each, login))
    const admin = openAs(administrator)
    return [
      {
        ...{ config: each, admin, ask: admin.askHarbor, openAs },
        ...robotIn(each, before),
        projects: projectsAt(each.id, chosen),
        isWhole: projects.length === 0,
        source: sourceOf(each.id, before),
      },
    ]
  })
}

function chosenProjects({ projects, file }: Config, names: readonly string[]) {
  const unknown = names.find((name) => !projects.some((project) => project.name === name))
  if (unknown !== undefined) {
    throw new CommandError(`there is no project ${JSON.stringify(unknown)} in ${file}`)
  }
  // `*` stands for any name: none of them can be made.
  return projects.filter(({ name }) => (names.length === 0 ? name !== '*' : names.includes(name)))
}

function projectsAt(id: string, projects: readonly ProjectConfig[]): readonly SideProject[] {
  if (id === 'local') return projects.map((project) => ({ project, name: project.name }))
  return projects
    .filter(({ upstreams }) => upstreams.includes(id))
    .map((project) => ({ project, name: project.upstreamProject ?? project.name }))
}

function withLogin(config: RegistryConfig, login: Administrator): RegistryConfig {
  const { id, url, ca, clientCertificate, trustedHosts } = config
  return {
    ...{ id, url, trustedHosts, ...login },
    ...(ca !== undefined && { ca }),
    ...(clientCertificate !== undefined && { clientCertificate }),
  }
}

function robotIn(
  { id, username }: RegistryConfig,
  { config, secretFiles }: ConfigBeforeSecrets,
): Pick<Side, 'login' | 'secretFile'> {
  const keys = keysOf(id)
  const secretFile = secretFiles.get(`${keys}.passwordFile`)
  if (username === undefined || !ROBOT.test(username) || secretFile === undefined) {
    throw new CommandError(
      `set ${keys}.username to the name that the robot account is to have, like 'robot$pullsync', and ${keys}.passwordFile to where its secret is to go, in ${config.file}`,
    )
  }
  return { login: username, secretFile }
}

function sourceOf(
  id: string,
  { config, secretFiles }: ConfigBeforeSecrets,
): SideSource | undefined {
  const source = [...config.sources.values()].find(
    ({ format, registry }) => format === 'harbor' && registry === id,
  )
  if (source === undefined) return undefined
  const secretFile = ['', '[0]']
    .map((at) => secretFiles.get(`sources.${source.id}.secretFile${at}`))
    .find((file) => file !== undefined)
  return { id: source.id, secretFile, secret: secretOf(source, secretFile) }
}

function secretOf({ secrets }: SourceConfig, file: SecretFile | undefined): string | undefined {
  return file === undefined ? secrets[0] : file.secret
}

export function keysOf(id: string): string {
  return id === 'local' ? 'local' : `upstreams.${id}`
}

/** What the configuration makes the robot need, and nothing else. */
export function permissionsOf({ config, projects }: Side): readonly RobotPermission[] {
  const local = config.id === 'local'
  const ofProjects = projects.map(({ project, name }): RobotPermission => {
    const deletes = local && project.onUpstreamDelete === 'delete'
    return {
      kind: 'project',
      namespace: name,
      access: [
        { resource: 'repository', action: 'pull' },
        ...(local ? [{ resource: 'repository', action: 'push' }] : []),
        ...(deletes ? DELETES : []),
        // To catch up on what was pushed while pullsync was away.
        ...(local ? [] : [{ resource: 'artifact', action: 'list' }]),
      ],
    }
  })
  const walks = !local && projects.some(({ project }) => project.resync !== undefined)
  return walks ? [...ofProjects, CATALOG] : ofProjects
}

const DELETES = [
  { resource: 'repository', action: 'delete' },
  // A tag alone goes by Harbor's own API.
  { resource: 'tag', action: 'delete' },
]
const CATALOG: RobotPermission = {
  kind: 'system',
  namespace: '/',
  access: [{ resource: 'catalog', action: 'read' }],
}
