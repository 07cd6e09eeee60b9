import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { freePort } from '../../../support/network/free-port.ts'
import { startHarbor, type TestHarbor } from '../../../support/harbor/harbor.ts'
import { runCli } from '../../../support/process/run-cli.ts'
import { tempFolder, type TempFolder } from '../../../support/process/temp-folder.ts'

export const ROBOT = 'robot$pullsync'

export const containing = (text: string): unknown => expect.stringContaining(text)

interface Done {
  readonly what: string
  readonly at: string
  readonly did: string
  readonly note?: string
}

export async function setupSite(): Promise<SetupSite> {
  const folder = await tempFolder('setup')
  const [hq, local] = await Promise.all([startHarbor(), startHarbor()])
  const site = new SetupSite({ folder, hq, local, listen: await freePort() })
  hq.addProject('team', { public: true })
  hq.addProject('lab-there')
  await writeFile(site.at('admin.pw'), `${hq.admin.password}\n`)
  await writeFile(site.at('local-admin.pw'), local.admin.password)
  await site.configure()
  return site
}

type Parts = Pick<SetupSite, 'folder' | 'hq' | 'local' | 'listen'>

/** Two Harbors that know nothing of pullsync, and a configuration that names both. */
export class SetupSite implements AsyncDisposable {
  readonly folder: TempFolder
  readonly hq: TestHarbor
  readonly local: TestHarbor
  readonly listen: number

  constructor({ folder, hq, local, listen }: Parts) {
    this.folder = folder
    this.hq = hq
    this.local = local
    this.listen = listen
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [this.hq, this.local, this.folder]) await each[Symbol.asyncDispose]()
  }

  at(name: string): string {
    return join(this.folder.path, name)
  }

  async configure(project = '', admin?: number): Promise<void> {
    const { hq, local, listen } = this
    await writeFile(
      this.at('pullsync.yaml'),
      `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin ?? (await freePort())} }
local: { url: ${local.url}, username: ${ROBOT}, passwordFile: secrets/local }
upstreams:
  hq: { url: ${hq.url}, username: ${ROBOT}, passwordFile: secrets/hq }
projects:
  - { name: team, upstream: hq, ${project} }
  - { name: lab, upstream: hq, upstreamProject: lab-there }
sources:
  edge: { format: harbor, registry: local, secretFile: secrets/edge }
  hq-push: { format: harbor, registry: hq, secretFile: [secrets/hq-push] }
`,
    )
  }

  async setUp(...more: readonly string[]) {
    return await this.setUpAndProve('--no-delivery', ...more)
  }

  async setUpAndProve(...more: readonly string[]) {
    const admins = [`local=admin:${this.at('local-admin.pw')}`, `hq=admin:${this.at('admin.pw')}`]
    const { code, stdout, stderr } = await runCli([
      ...['setup', 'harbor', '--json', '--config', this.at('pullsync.yaml')],
      ...admins.flatMap((admin) => ['--admin', admin]),
      ...more,
    ])
    const done = (stdout === '' ? [] : JSON.parse(stdout)) as readonly Done[]
    return { code, done, stdout, stderr }
  }

  async secretAt(name: string): Promise<string> {
    return (await readFile(this.at(`secrets/${name}`), 'utf8')).trim()
  }

  /** What was asked to be changed, of both. */
  writes() {
    const requests = [...this.hq.requests, ...this.local.requests]
    return requests.filter(({ method }) => !/^(GET|HEAD)$/.test(method))
  }
}

export function rightsOf({ state }: TestHarbor) {
  return Object.fromEntries(state.accounts.get(ROBOT)?.rights ?? [])
}

export function policiesOf({ state }: TestHarbor, project: string) {
  return state.projects.get(project)?.policies ?? []
}

export function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not there')
  return value
}
