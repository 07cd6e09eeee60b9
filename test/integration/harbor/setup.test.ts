import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../support/free-port.ts'
import { startHarbor, type TestHarbor } from '../../support/harbor/harbor.ts'
import { type PullsyncProcess, startPullsync } from '../../support/pullsync-process.ts'
import { runCli } from '../../support/run-cli.ts'
import { tempFolder, type TempFolder } from '../../support/temp-folder.ts'

const containing = (text: string): unknown => expect.stringContaining(text)
const ROBOT = 'robot$pullsync'

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not there')
  return value
}

interface Done {
  readonly what: string
  readonly at: string
  readonly did: string
  readonly note?: string
}

describe('setup harbor', () => {
  let folder: TempFolder
  let hq: TestHarbor
  let local: TestHarbor
  let listen: number

  beforeEach(async () => {
    folder = await tempFolder('setup')
    ;[hq, local] = await Promise.all([startHarbor(), startHarbor()])
    listen = await freePort()
    hq.addProject('team', { public: true })
    hq.addProject('lab-there')
    await writeFile(at('admin.pw'), `${hq.admin.password}\n`)
    await writeFile(at('local-admin.pw'), local.admin.password)
    await configure()
  })

  afterEach(async () => {
    for (const each of [hq, local, folder]) await each[Symbol.asyncDispose]()
  })

  const at = (name: string) => join(folder.path, name)

  async function configure(project = '', admin = listen): Promise<void> {
    await writeFile(
      at('pullsync.yaml'),
      `
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
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

  const setUp = (...more: readonly string[]) => setUpAndProve('--no-delivery', ...more)

  async function setUpAndProve(...more: readonly string[]) {
    const admins = [`local=admin:${at('local-admin.pw')}`, `hq=admin:${at('admin.pw')}`]
    const { code, stdout, stderr } = await runCli([
      ...['setup', 'harbor', '--json', '--config', at('pullsync.yaml')],
      ...admins.flatMap((admin) => ['--admin', admin]),
      ...more,
    ])
    const done = (stdout === '' ? [] : JSON.parse(stdout)) as readonly Done[]
    return { code, done, stdout, stderr }
  }

  const rightsOf = ({ state }: TestHarbor) =>
    Object.fromEntries(state.accounts.get(ROBOT)?.rights ?? [])
  const secretAt = async (name: string) => (await readFile(at(`secrets/${name}`), 'utf8')).trim()
  const policiesOf = ({ state }: TestHarbor, project: string) =>
    state.projects.get(project)?.policies ?? []
  /** What was asked to be changed, of both. */
  const writes = () =>
    [...hq.requests, ...local.requests].filter(({ method }) => !/^(GET|HEAD)$/.test(method))

  it('makes projects, robots of least rights and webhooks, with the secrets in files of their own', async () => {
    const { code, done, stdout, stderr } = await setUp('--url', 'http://pullsync.example:8080')

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(done.map(({ did }) => did)).not.toContain('failed')
    expect(local.state.projects.get('team')).toMatchObject({ public: true })
    expect(local.state.projects.get('lab')).toMatchObject({ public: false })
    expect(rightsOf(local)).toEqual({ team: ['pull', 'push'], lab: ['pull', 'push'] })
    expect(rightsOf(hq)).toEqual({
      team: ['artifact-list', 'pull'],
      'lab-there': ['artifact-list', 'pull'],
    })
    for (const [harbor, name] of [
      [local, 'local'],
      [hq, 'hq'],
    ] as const) {
      expect(await secretAt(name)).toBe(harbor.state.accounts.get(ROBOT)?.password)
    }
    expect(policiesOf(hq, 'lab-there')).toMatchObject([
      {
        event_types: ['PUSH_ARTIFACT'],
        targets: [
          {
            address: 'http://pullsync.example:8080/v1/events/hq-push',
            auth_header: `Bearer ${await secretAt('hq-push')}`,
            payload_format: 'CloudEvents',
          },
        ],
      },
    ])
    expect(policiesOf(local, 'team')).toMatchObject([{ event_types: ['PULL_ARTIFACT'] }])
    for (const name of ['local', 'hq', 'edge', 'hq-push']) {
      expect((await stat(at(`secrets/${name}`))).mode & 0o777).toBe(0o600)
      expect(stdout).not.toContain(await secretAt(name))
    }
    const check = await runCli(['check', '--config', at('pullsync.yaml')])
    expect(check.code).toBe(0)
  })

  it('takes the configuration of the page about Harbor as it stands there', async () => {
    const page = await readFile('docs/harbor.md', 'utf8')
    const [, yaml = ''] = /```yaml\n([^]*?)```/.exec(page) ?? []
    const here = yaml
      .replace('https://harbor.edge.example', local.url)
      .replace('https://harbor.hq.example', hq.url)
    expect(here).not.toBe(yaml)
    await writeFile(at('pullsync.yaml'), here)

    const { code, done } = await setUp()

    expect(code).toBe(0)
    expect(done.filter(({ did }) => did === 'made')).toHaveLength(5)
  })

  it('gives the rights to delete and to list only where the configuration needs them', async () => {
    await configure("onUpstreamDelete: delete, resync: '0 3 * * *'")
    await setUp()

    expect(rightsOf(local)).toEqual({
      team: ['pull', 'push', 'delete', 'tag-delete'].sort(),
      lab: ['pull', 'push'],
    })
    expect(rightsOf(hq)).toMatchObject({ '*': ['catalog'] })
    expect(policiesOf(hq, 'team')[0]?.event_types).toEqual(['PUSH_ARTIFACT', 'DELETE_ARTIFACT'])

    await configure()
    await setUp()
    expect(rightsOf(local)).toEqual({ team: ['pull', 'push'], lab: ['pull', 'push'] })
    expect(rightsOf(hq)).not.toHaveProperty('*')
  })

  it('changes nothing when it is run again, nor with --dry-run', async () => {
    const dry = await setUp('--dry-run')
    expect(dry.done.map(({ did }) => did)).toContain('made')
    expect(writes()).toEqual([])
    await expect(stat(at('secrets'))).rejects.toThrow('ENOENT')

    await setUp()
    const before = writes().length
    const again = await setUp()
    expect(new Set(again.done.map(({ did }) => did))).toEqual(new Set(['kept']))
    expect(writes()).toHaveLength(before)
  })

  it('adds a project to what is there, and renews a secret that is lost', async () => {
    await setUp('--project', 'lab')
    expect(rightsOf(local)).toEqual({ lab: ['pull', 'push'] })
    const secret = await secretAt('local')

    await setUp('--project', 'team')
    expect(rightsOf(local)).toEqual({ lab: ['pull', 'push'], team: ['pull', 'push'] })
    expect(await secretAt('local')).toBe(secret)

    await writeFile(at('secrets/local'), 'of another day')
    const { done } = await setUp()
    expect(done).toContainEqual(
      expect.objectContaining({ what: `the robot account ${ROBOT}`, at: 'local', did: 'changed' }),
    )
    expect(await secretAt('local')).toBe(local.state.accounts.get(ROBOT)?.password)
  })

  it('leaves a robot as it is that somebody has disabled', async () => {
    await setUp()
    const robot = present(local.state.accounts.get(ROBOT))
    const disabled = { ...robot, password: 'unknown', robot: { ...robot.robot, disable: true } }
    local.state.accounts.set(ROBOT, disabled)
    const secret = await secretAt('local')

    const { done } = await setUp()

    expect(done).toContainEqual({
      ...{ what: `the robot account ${ROBOT}`, at: 'local', did: 'left' },
      note: containing('it is disabled: enable it in Harbor'),
    })
    expect(local.state.accounts.get(ROBOT)).toBe(disabled)
    expect(await secretAt('local')).toBe(secret)
  })

  it('takes away what it made, and nothing else', async () => {
    local.addProject('lab')
    await setUp()
    const { done } = await setUp('--undo')

    expect([...local.state.projects.keys()]).toEqual(['lab'])
    expect([...hq.state.projects.keys()]).toEqual(['team', 'lab-there'])
    for (const each of [hq, local]) expect(each.state.accounts.get(ROBOT)).toBeUndefined()
    expect(policiesOf(local, 'lab')).toEqual([])
    expect(policiesOf(hq, 'team')).toEqual([])
    expect(done.every(({ did }) => did === 'removed')).toBe(true)
  })

  it('keeps what is not empty, and touches no robot or webhook of another hand', async () => {
    await setUp()
    local.state.projects.get('team')?.repositories.set('team/app', new Map())
    expect((await setUp('--undo')).done).toContainEqual(
      expect.objectContaining({ what: 'the project team', did: 'left', note: 'it is not empty' }),
    )

    const robot = local.state.addAccount(ROBOT, { robot: { name: ROBOT, level: 'system' } })
    const policy = { id: 900, name: 'pullsync', enabled: true, event_types: [], targets: [] }
    local.state.projects.get('team')?.policies.push(policy)
    for (const more of [[], ['--undo']]) {
      const { done } = await setUp('--project', 'team', ...more)
      expect(done.filter(({ at: side, did }) => side === 'local' && did === 'left')).toHaveLength(2)
    }
    expect(local.state.accounts.get(ROBOT)).toBe(robot)
    expect(policiesOf(local, 'team')).toEqual([policy])
  })

  it('says which project has a policy that the configuration should know of', async () => {
    local.addProject('team', { contentTrust: true })
    const ofTeam = async () =>
      (await setUp('--dry-run')).done.find(
        ({ what, at: side }) => what === 'the project team' && side === 'local',
      )

    expect((await ofTeam())?.note).toMatch(/cosign has not signed .*: set policy: local/)
    await configure('policy: local')
    expect(await ofTeam()).toEqual({ what: 'the project team', at: 'local', did: 'kept' })
  })

  it('names what it cannot mend: a project that upstream has not, and a local proxy cache', async () => {
    hq.state.projects.delete('lab-there')
    local.addProject('team', { registryId: 3 })

    const { code, done, stderr } = await setUp()

    expect(code).toBe(1)
    expect(done.filter(({ did }) => did === 'failed')).toEqual([
      { what: 'the project team', at: 'local', did: 'failed', note: containing('proxy cache') },
      { what: 'the project lab-there', at: 'hq', did: 'failed', note: 'it is not there' },
    ])
    expect(stderr).toContain('2 of ')
  })

  it('wants administrators by file, of sides that there are', async () => {
    await mkdir(at('empty'))
    const run = (...admin: readonly string[]) =>
      runCli(['setup', 'harbor', '--config', at('pullsync.yaml'), ...admin])

    expect((await run()).code).toBe(2)
    expect((await run('--admin', 'hq=admin')).code).toBe(2)
    expect((await run('--admin', `dr=admin:${at('admin.pw')}`)).stderr).toContain(
      'there is local, hq',
    )
    const wrong = await run('--admin', `hq=admin:${at('local-admin.pw')}`)
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain('hq does not take the login of --admin')
    expect(wrong.stderr).not.toContain(local.admin.password)
  })

  describe('with pullsync running', () => {
    let pullsync: PullsyncProcess

    afterEach(async () => {
      await pullsync[Symbol.asyncDispose]()
    })

    it.each(['CloudEvents', 'Default'])(
      'proves by a delivery in the format %s that pullsync hears both',
      async (format) => {
        const admin = await freePort()
        await configure('', admin)
        await setUp('--payload-format', format)
        pullsync = await startPullsync({
          args: ['up'],
          config: { file: at('pullsync.yaml') },
          readyUrl: `http://127.0.0.1:${admin}/readyz`,
        })

        const { code, done } = await setUpAndProve('--payload-format', format)

        expect(code).toBe(0)
        const deliveries = done.filter(({ what }) => what.startsWith('a delivery'))
        expect(deliveries).toHaveLength(4)
        expect(deliveries.every(({ note }) => note === 'pullsync took it')).toBe(true)
        for (const each of [hq, local]) {
          expect(each.delivered.every(({ status }) => status === 202)).toBe(true)
          expect(each.state.artifacts('team/pullsync-setup')).toBeUndefined()
        }
      },
    )

    it('tries without tags, and says where a policy refuses what it tries with', async () => {
      const admin = await freePort()
      present(hq.state.projects.get('team')).contentTrust = true
      local.addProject('team', { contentTrust: true })
      await configure('onUpstreamPush: always', admin)
      await setUp()
      pullsync = await startPullsync({
        args: ['up'],
        config: { file: at('pullsync.yaml') },
        readyUrl: `http://127.0.0.1:${admin}/readyz`,
      })

      const { code, done, stderr } = await setUpAndProve('--project', 'team')

      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const deliveries = done.filter(({ what }) => what.startsWith('a delivery'))
      expect(deliveries).toMatchObject([
        { at: 'local', did: 'left', note: containing('a policy of the project refuses') },
        { at: 'hq', did: 'made', note: 'pullsync took it' },
      ])
      expect(writes().filter(({ path }) => path.endsWith('/manifests/test'))).toEqual([])
      for (const each of [hq, local]) {
        expect(each.state.artifacts('team/pullsync-setup')).toBeUndefined()
      }
    })
  })
})
