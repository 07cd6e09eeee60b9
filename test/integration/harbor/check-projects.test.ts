import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import type { Account, Right } from '../../support/harbor/state.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { runCli } from '../../support/process/run-cli.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

interface Row {
  readonly name: string
  readonly at: string
  readonly ok: boolean
  readonly message: string
  readonly notes?: readonly string[]
}

const containing = (text: string): unknown => expect.stringContaining(text)
const matching = (text: RegExp): unknown => expect.stringMatching(text)

describe('check --online, of the projects of two Harbors', () => {
  let redis: TestRedis
  let folder: TempFolder
  let hq: TestHarbor
  let local: TestHarbor

  beforeEach(async () => {
    redis = await startRedis({ appendOnly: false })
    folder = await tempFolder('check')
    ;[hq, local] = await Promise.all([startHarbor(), startHarbor()])
  })

  afterEach(async () => {
    for (const each of [hq, local, folder, redis]) await each[Symbol.asyncDispose]()
  })

  interface Setting {
    readonly localRights?: readonly Right[]
    readonly upstreamRights?: readonly Right[]
    /** More of the project, as YAML. */
    readonly project?: string
  }

  async function check(setting: Setting = {}) {
    const { localRights = ['pull', 'push'], upstreamRights = ['pull'], project = '' } = setting
    const login = ({ name, password }: Account) => `username: ${name}, password: ${password}`
    const robots = {
      local: local.addRobot('pullsync', localRights, 'team'),
      hq: hq.addRobot('pullsync', upstreamRights, 'team'),
    }
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(
      file,
      `
redis: { url: ${redis.url} }
local: { url: ${local.url}, ${login(robots.local)} }
upstreams: { hq: { url: ${hq.url}, ${login(robots.hq)} } }
projects: [{ name: team, upstream: hq, ${project} }]
`,
    )
    const { code, stdout, stderr } = await runCli(
      ['check', '--online', '--json', '--config', file],
      {},
    )
    if (stdout === '') throw new Error(stderr)
    const { online } = JSON.parse(stdout) as { online: readonly Row[] }
    const written = [...hq.requests, ...local.requests].filter(
      ({ method }) => method !== 'GET' && method !== 'HEAD',
    )
    expect(written).toEqual([])
    const rowAt = ({ url }: TestHarbor) => online.find(({ at }) => at.startsWith(`${url}/`))
    return { code, stdout, here: rowAt(local), there: rowAt(hq) }
  }

  it('says that each may do what it has to', async () => {
    for (const each of [hq, local]) each.addProject('team')

    expect(await check()).toMatchObject({
      code: 0,
      here: { name: 'project team', ok: true, message: 'ok, may pull and push' },
      there: { name: 'project team', ok: true, message: 'ok, may pull' },
    })
  })

  it('names the right that is missing, and only one that is needed', async () => {
    for (const each of [hq, local]) each.addProject('team')

    expect(await check({ localRights: ['pull'], upstreamRights: [] })).toMatchObject({
      code: 1,
      here: { ok: false, message: 'Give the account of local the right to push in team.' },
      there: {
        ok: false,
        message: matching(/401 .*Give the account of upstreams.hq the right to pull in team/),
      },
    })
  })

  it('wants the right to delete where deletions are followed', async () => {
    for (const each of [hq, local]) each.addProject('team')

    expect((await check({ project: 'onUpstreamDelete: delete' })).here).toMatchObject({
      ok: false,
      message: 'Give the account of local the right to delete in team.',
    })
  })

  it('finds that a project is missing, here or there', async () => {
    for (const each of [hq, local]) each.addProject('other')

    const { code, here, there } = await check()

    expect(code).toBe(1)
    expect(here).toMatchObject({
      ok: false,
      message: containing('setup harbor --project team'),
    })
    expect(there).toMatchObject({ ok: false, message: containing('upstreamProject') })
  })

  it('finds a local proxy cache, whatever the account may do in it', async () => {
    hq.addProject('team')
    local.addProject('team', { registryId: 7 })

    expect(await check()).toMatchObject({
      code: 1,
      here: {
        ok: false,
        message: containing('is a proxy cache, which takes no pushes'),
      },
      there: { ok: true },
    })
  })

  it('finds a project without room, and tells what is left of a quota', async () => {
    hq.addProject('team')
    const project = local.addProject('team', { quota: 10 * 2 ** 30, used: 10 * 2 ** 30 })
    expect((await check()).here).toMatchObject({
      ok: false,
      message: containing('there is no room left'),
    })

    project.used = 4 * 2 ** 30
    expect((await check()).here?.notes).toEqual(['6.0 GiB of 10.0 GiB are left of its quota.'])
  })

  it('tells of rules that keep tags, and of policies on both sides', async () => {
    hq.addProject('team', { contentTrust: true, registryId: 3 })
    local.addProject('team', { contentTrust: true, immutable: 'v*' })

    const { code, here, there } = await check({ project: 'policy: none' })

    expect(code).toBe(0)
    expect(here?.notes).toEqual([
      containing('with policy: none clients get them ahead of that'),
      containing('Tags like v* are never written again'),
    ])
    expect(there?.notes).toEqual([
      containing('is itself a proxy cache'),
      containing('cosign has not signed'),
    ])
  })

  it('says so where the account may not look at the settings', async () => {
    for (const each of [hq, local]) {
      each.addProject('team')
      each.instead(
        ({ url = '' }) => url.startsWith('/api/v2.0/projects/team'),
        ({ response }) => response.writeHead(403).end(),
      )
    }

    expect((await check()).here).toMatchObject({
      ok: true,
      notes: [containing("may not look at the project's settings")],
    })
  })
})
