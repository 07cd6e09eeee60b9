import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account } from '../../support/harbor/state.ts'
import { buildImage, type BuiltImage } from '../../support/images/image.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { inspectRaw, skopeo } from '../../support/images/skopeo.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

const MODES = ['stream', 'hold', 'async'] as const
const ACCOUNTS = ['developer', 'guest', 'pulling', 'pushing', 'anonymous'] as const
const KINDS = ['public', 'private', 'missing'] as const

const CASES = MODES.flatMap((mode) =>
  KINDS.flatMap((kind) => ACCOUNTS.map((account) => ({ mode, kind, account }))),
)

/** Who pulls what through a gateway directly before Harbor: the first pull gets what Harbor would give later. */
describe('the first pull at Harbor', () => {
  let folder: TempFolder
  let hq: TestHarbor
  let local: TestHarbor
  let pullsync: PullsyncProcess
  let gateway: string
  const images = new Map<string, BuiltImage>()
  const accounts = new Map<string, Account>()

  beforeAll(async () => {
    folder = await tempFolder('harbor-clients')
    ;[hq, local] = await Promise.all([startHarbor(), startHarbor()])
    const projects = MODES.flatMap((mode) =>
      KINDS.map((kind) => ({ mode, kind, name: `${mode}-${kind}` })),
    )
    for (const { name, kind } of projects) {
      hq.addProject(name)
      if (kind !== 'missing') local.addProject(name, { public: kind === 'public' })
    }
    const names = projects.map(({ name }) => name)
    const give = (name: string, rights: Parameters<TestHarbor['addRobot']>[1], at = local) =>
      at.state.addAccount(name, { rights: new Map(names.map((project) => [project, rights])) })
    accounts.set('developer', give('developer', ['pull', 'push', 'artifact-list']))
    accounts.set('guest', give('guest', ['pull', 'artifact-list']))
    accounts.set('pulling', give('robot$pulling', ['pull']))
    accounts.set('pushing', give('robot$pushing', ['pull', 'push']))
    const login = ({ name, password }: Account) => `username: ${name}, password: ${password}`
    const [listen, admin] = [await freePort(), await freePort()]
    gateway = `127.0.0.1:${listen}`
    pullsync = await startPullsync({
      args: ['up'],
      config: `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${local.url}, ${login(give('robot$pullsync', ['pull', 'push']))} }
upstreams: { hq: { url: ${hq.url}, ${login(give('robot$pullsync', ['pull'], hq))} } }
projects:
${projects.map(({ name, mode }) => `  - { name: ${name}, upstream: hq, onMiss: ${mode}, holdFor: 15s }`).join('\n')}
`,
      readyUrl: `http://127.0.0.1:${admin}/readyz`,
    })
    for (const account of ACCOUNTS) images.set(account, await buildImage({ index: false }))
  })

  afterAll(async () => {
    for (const each of [pullsync, hq, local, folder, ...images.values()])
      await each[Symbol.asyncDispose]()
  })

  function credentials(account: string): string | undefined {
    const { name, password } = accounts.get(account) ?? {}
    return name === undefined ? undefined : `${name}:${password ?? ''}`
  }

  it.each(CASES)('by $mode of a $kind project, for $account', async ({ mode, kind, account }) => {
    const repository = `${mode}-${kind}/${account}`
    const image = images.get(account)
    if (image === undefined) throw new Error('it was not built')
    const upstream = { url: hq.url, repository, tag: '1.0' }
    const admin = `${hq.admin.name}:${hq.admin.password}`
    await pushOverHttp(image, { ...upstream, credentials: admin })
    const shown = credentials(account)
    const pull = async () =>
      await skopeo([
        ...['copy', '--src-tls-verify=false'],
        ...(shown === undefined ? ['--src-no-creds'] : ['--src-creds', shown]),
        ...[
          `docker://${gateway}/${repository}:1.0`,
          `dir:${join(folder.path, repository.replace('/', '-'))}`,
        ],
      ])

    const first = await pull()

    if (kind === 'missing' || (kind === 'private' && account === 'anonymous')) {
      expect(first.code).not.toBe(0)
      expect(first.stderr).toMatch(/unauthorized|not found/i)
      // Nobody is told, or given, what Harbor itself would not tell.
      const fetched = hq.requests.filter(
        ({ method, path }) => method === 'GET' && path.startsWith(`/v2/${repository}/blobs/`),
      )
      expect(fetched).toEqual([])
      return
    }
    if (mode === 'async') {
      expect(first.stderr).toMatch(/not found|unknown/i)
      await eventually(async () => (await pull()).code === 0)
    } else expect(first).toMatchObject({ code: 0 })
    await eventually(() => local.state.artifact(repository, '1.0') !== undefined)
    const held = await inspectRaw(`${gateway}/${repository}:1.0`, shown)
    expect(held.digest).toBe(image.top.digest)
  })
})
