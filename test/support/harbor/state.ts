import { randomUUID } from 'node:crypto'

/** What an account may do in a project, in the token service's words, and to Harbor's own API. */
export type Right =
  'pull' | 'push' | 'delete' | 'catalog' | 'tag-delete' | 'artifact-list' | 'project-admin'

export interface Account {
  readonly id: number
  readonly name: string
  readonly password: string
  readonly admin: boolean
  /** What a robot was made with, by the API. */
  readonly robot?: object
  /** By project; `*` stands for the whole system. */
  readonly rights: Map<string, readonly Right[]>
}

export interface Artifact {
  readonly digest: string
  readonly mediaType: string
  readonly size: number
  /** Seconds since 1970 are what webhooks say; the API says the time in full. */
  readonly pushedAt: Date
  readonly tags: Set<string>
  readonly subject?: string
  readonly artifactType?: string
}

export interface Policy {
  readonly id: number
  readonly name: string
  readonly enabled: boolean
  readonly event_types: readonly string[]
  readonly targets: readonly {
    readonly type: 'http'
    readonly address: string
    readonly auth_header?: string
    readonly payload_format?: 'Default' | 'CloudEvents'
  }[]
}

export interface Project {
  readonly id: number
  readonly name: string
  public: boolean
  /** The project is a proxy cache of the registry with this number; 0: it is none. */
  registryId: number
  /** Images that cosign has not signed are not given out. */
  contentTrust: boolean
  /** Tags that match this glob are never written again. */
  immutable: string | undefined
  /** In bytes; -1: without limit. */
  quota: number
  used: number
  readonly repositories: Map<string, Map<string, Artifact>>
  readonly policies: Policy[]
}

/** All that one Harbor knows. */
export class HarborState {
  readonly projects = new Map<string, Project>()
  readonly accounts = new Map<string, Account>()
  readonly tokens = new Map<string, Account | undefined>()
  /** Bytes that open uploads have been given, by upload. */
  readonly uploads = new Map<string, number>()
  readOnly = false
  #lastId = 0

  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  addProject(name: string, how: Partial<Omit<Project, 'id' | 'name'>> = {}): Project {
    const project: Project = {
      id: this.nextId(),
      name,
      public: false,
      registryId: 0,
      contentTrust: false,
      immutable: undefined,
      quota: -1,
      used: 0,
      repositories: new Map(),
      policies: [],
      ...how,
    }
    this.projects.set(name, project)
    return project
  }

  addAccount(name: string, how: Partial<Omit<Account, 'id' | 'name'>> = {}): Account {
    const made = { id: this.nextId(), name, password: randomUUID(), admin: false }
    const account: Account = { ...made, rights: new Map(), ...how }
    this.accounts.set(name, account)
    return account
  }

  projectOf(repository: string): Project | undefined {
    return this.projects.get(repository.split('/', 1)[0] ?? '')
  }

  artifacts(repository: string): ReadonlyMap<string, Artifact> | undefined {
    return this.projectOf(repository)?.repositories.get(repository)
  }

  artifact(repository: string, reference: string): Artifact | undefined {
    const all = this.artifacts(repository)
    return all?.get(reference) ?? [...(all?.values() ?? [])].find(({ tags }) => tags.has(reference))
  }
}

const ALL: readonly Right[] = [
  ...(['pull', 'push', 'delete', 'catalog'] as const),
  ...(['tag-delete', 'artifact-list', 'project-admin'] as const),
]

/** What an account may do in a project; undefined stands for anonymous. */
export function rightsIn(account: Account | undefined, project: Project): readonly Right[] {
  if (account?.admin === true) return ALL
  const own = [project.name, '*'].flatMap((where) => account?.rights.get(where) ?? [])
  return project.public ? ['pull', ...own] : own
}
