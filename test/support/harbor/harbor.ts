import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { startRegistry } from '../registry/docker-registry.ts'
import type { Turn } from './answers.ts'
import { Behind } from './behind.ts'
import { type ManifestTurn, removeArtifact } from './manifests.ts'
import type { Harbor } from './parts.ts'
import { serve } from './serve.ts'
import { type Account, HarborState, type Project, type Right } from './state.ts'
import { type Delivered, type Wait, Webhooks } from './webhooks.ts'

export interface HarborOptions {
  /** How webhooks wait between their tries; a hundredth of the real time unless told. */
  readonly wait?: Wait
}

export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

/**
 * A Harbor on 127.0.0.1 that answers as v2.15.2 was seen to answer: projects, accounts, its token
 * service, webhooks, policies and the part of its API that is needed here, before a real registry.
 * What was not seen of it but read in its sources: the API's bodies, and the texts of some errors.
 */
export interface TestHarbor extends AsyncDisposable {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly state: HarborState
  readonly requests: readonly SeenRequest[]
  /** Every try of a webhook so far. */
  readonly delivered: readonly Delivered[]
  readonly admin: Account
  addProject(name: string, how?: Partial<Omit<Project, 'id' | 'name'>>): Project
  /** A user with a role in a project: guests pull, developers pull and push. */
  addUser(name: string, role: 'guest' | 'developer', project: string): Account
  addRobot(name: string, rights: readonly Right[], project: string): Account
  /** From now on matching requests are answered by `act` instead. */
  instead(matches: (request: IncomingMessage) => boolean, act: (turn: Turn) => unknown): void
  /** Retention, as its job does it: these artifacts go, and one event is sent for each. */
  retain(repository: string, keep: (tags: ReadonlySet<string>) => boolean): Promise<void>
}

export async function startHarbor(options: HarborOptions = {}): Promise<TestHarbor> {
  const registry = await startRegistry()
  const state = new HarborState()
  const admin = state.addAccount('admin', { admin: true })
  let host = ''
  const webhooks = new Webhooks(options.wait ?? ((ms) => delay(ms / 100)), () => host)
  const harbor: Harbor = { state, behind: new Behind(registry.port), webhooks }
  const requests: SeenRequest[] = []
  const scripts: {
    matches: (request: IncomingMessage) => boolean
    act: (turn: Turn) => unknown
  }[] = []
  const server = createServer((request, response) => {
    const { method = '', url: path = '/', headers } = request
    requests.push({ method, path, headers })
    const proto = headers['x-forwarded-proto'] ?? 'http'
    const origin = `${String(proto)}://${headers.host ?? host}`
    const turn = { request, response, origin, url: new URL(path, `http://${host}`) }
    const script = scripts.findLast(({ matches }) => matches(request))
    const served = script === undefined ? serve(harbor, turn) : Promise.resolve(script.act(turn))
    served.catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  host = `127.0.0.1:${port}`
  return {
    url: `http://${host}`,
    host,
    port,
    state,
    requests,
    delivered: webhooks.delivered,
    admin,
    addProject: (name, how) => state.addProject(name, how),
    addUser: (name, role, project) =>
      state.addAccount(name, { rights: new Map([[project, ROLES[role]]]) }),
    addRobot: (name, rights, project) =>
      state.addAccount(`robot$${project}+${name}`, { rights: robotRights(rights, project) }),
    instead: (matches, act) => scripts.push({ matches, act }),
    async retain(repository, keep) {
      await retain(harbor, repository, keep)
    },
    async [Symbol.asyncDispose]() {
      webhooks.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await registry[Symbol.asyncDispose]()
    },
  }
}

const ROLES = {
  guest: ['pull', 'artifact-list'],
  developer: ['pull', 'push', 'artifact-list'],
} as const

/** The catalog is the system's. */
function robotRights(rights: readonly Right[], project: string): Map<string, readonly Right[]> {
  return new Map([
    [project, rights],
    ['*', rights.filter((right) => right === 'catalog')],
  ])
}

async function retain(
  harbor: Harbor,
  repository: string,
  keep: (tags: ReadonlySet<string>) => boolean,
): Promise<void> {
  const project = harbor.state.projectOf(repository)
  if (project === undefined) throw new Error(`there is no project of ${repository}`)
  const sender: ManifestTurn['sender'] = 'harbor-jobservice'
  for (const artifact of [...(harbor.state.artifacts(repository)?.values() ?? [])]) {
    if (!keep(artifact.tags))
      await removeArtifact(harbor, { project, repository, artifact, sender })
  }
  harbor.webhooks.tell({ type: 'TAG_RETENTION', project, repository, operator: sender })
}
