import { mkdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../../support/process/run-cli.ts'
import { containing, policiesOf, present, ROBOT, setupSite, type SetupSite } from './setup-site.ts'

describe('setup harbor', () => {
  let site: SetupSite

  beforeEach(async () => {
    site = await setupSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('leaves a robot as it is that somebody has disabled', async () => {
    await site.setUp()
    const robot = present(site.local.state.accounts.get(ROBOT))
    const disabled = { ...robot, password: 'unknown', robot: { ...robot.robot, disable: true } }
    site.local.state.accounts.set(ROBOT, disabled)
    const secret = await site.secretAt('local')

    const { done } = await site.setUp()

    expect(done).toContainEqual({
      ...{ what: `the robot account ${ROBOT}`, at: 'local', did: 'left' },
      note: containing('it is disabled: enable it in Harbor'),
    })
    expect(site.local.state.accounts.get(ROBOT)).toBe(disabled)
    expect(await site.secretAt('local')).toBe(secret)
  })

  it('takes away what it made, and nothing else', async () => {
    site.local.addProject('lab')
    await site.setUp()
    const { done } = await site.setUp('--undo')

    expect([...site.local.state.projects.keys()]).toEqual(['lab'])
    expect([...site.hq.state.projects.keys()]).toEqual(['team', 'lab-there'])
    for (const each of [site.hq, site.local]) expect(each.state.accounts.get(ROBOT)).toBeUndefined()
    expect(policiesOf(site.local, 'lab')).toEqual([])
    expect(policiesOf(site.hq, 'team')).toEqual([])
    expect(done.every(({ did }) => did === 'removed')).toBe(true)
  })

  it('keeps what is not empty, and touches no robot or webhook of another hand', async () => {
    await site.setUp()
    site.local.state.projects.get('team')?.repositories.set('team/app', new Map())
    expect((await site.setUp('--undo')).done).toContainEqual(
      expect.objectContaining({ what: 'the project team', did: 'left', note: 'it is not empty' }),
    )

    const robot = site.local.state.addAccount(ROBOT, { robot: { name: ROBOT, level: 'system' } })
    const policy = { id: 900, name: 'pullsync', enabled: true, event_types: [], targets: [] }
    site.local.state.projects.get('team')?.policies.push(policy)
    for (const more of [[], ['--undo']]) {
      const { done } = await site.setUp('--project', 'team', ...more)
      expect(done.filter(({ at: side, did }) => side === 'local' && did === 'left')).toHaveLength(2)
    }
    expect(site.local.state.accounts.get(ROBOT)).toBe(robot)
    expect(policiesOf(site.local, 'team')).toEqual([policy])
  })

  it('says which project has a policy that the configuration should know of', async () => {
    site.local.addProject('team', { contentTrust: true })
    const ofTeam = async () =>
      (await site.setUp('--dry-run')).done.find(
        ({ what, at: side }) => what === 'the project team' && side === 'local',
      )

    expect((await ofTeam())?.note).toMatch(/cosign has not signed .*: set policy: local/)
    await site.configure('policy: local')
    expect(await ofTeam()).toEqual({ what: 'the project team', at: 'local', did: 'kept' })
  })

  it('names what it cannot mend: a project that upstream has not, and a local proxy cache', async () => {
    site.hq.state.projects.delete('lab-there')
    site.local.addProject('team', { registryId: 3 })

    const { code, done, stderr } = await site.setUp()

    expect(code).toBe(1)
    expect(done.filter(({ did }) => did === 'failed')).toEqual([
      { what: 'the project team', at: 'local', did: 'failed', note: containing('proxy cache') },
      { what: 'the project lab-there', at: 'hq', did: 'failed', note: 'it is not there' },
    ])
    expect(stderr).toContain('2 of ')
  })

  it('wants administrators by file, of sides that there are', async () => {
    await mkdir(site.at('empty'))
    const run = (...admin: readonly string[]) =>
      runCli(['setup', 'harbor', '--config', site.at('pullsync.yaml'), ...admin])

    expect((await run()).code).toBe(2)
    expect((await run('--admin', 'hq=admin')).code).toBe(2)
    expect((await run('--admin', `dr=admin:${site.at('admin.pw')}`)).stderr).toContain(
      'there is local, hq',
    )
    const wrong = await run('--admin', `hq=admin:${site.at('local-admin.pw')}`)
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain('hq does not take the login of --admin')
    expect(wrong.stderr).not.toContain(site.local.admin.password)
  })
})
