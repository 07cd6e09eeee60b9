import { readFile, stat, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runCli } from '../../../support/process/run-cli.ts'
import { policiesOf, rightsOf, ROBOT, setupSite, type SetupSite } from './setup-site.ts'

describe('setup harbor', () => {
  let site: SetupSite

  beforeEach(async () => {
    site = await setupSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  it('makes projects, robots of least rights and webhooks, with the secrets in files of their own', async () => {
    const { code, done, stdout, stderr } = await site.setUp('--url', 'http://pullsync.example:8080')

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(done.map(({ did }) => did)).not.toContain('failed')
    expect(site.local.state.projects.get('team')).toMatchObject({ public: true })
    expect(site.local.state.projects.get('lab')).toMatchObject({ public: false })
    expect(rightsOf(site.local)).toEqual({ team: ['pull', 'push'], lab: ['pull', 'push'] })
    expect(rightsOf(site.hq)).toEqual({
      team: ['artifact-list', 'pull'],
      'lab-there': ['artifact-list', 'pull'],
    })
    for (const [harbor, name] of [
      [site.local, 'local'],
      [site.hq, 'hq'],
    ] as const) {
      expect(await site.secretAt(name)).toBe(harbor.state.accounts.get(ROBOT)?.password)
    }
    expect(policiesOf(site.hq, 'lab-there')).toMatchObject([
      {
        event_types: ['PUSH_ARTIFACT'],
        targets: [
          {
            address: 'http://pullsync.example:8080/v1/events/hq-push',
            auth_header: `Bearer ${await site.secretAt('hq-push')}`,
            payload_format: 'CloudEvents',
          },
        ],
      },
    ])
    expect(policiesOf(site.local, 'team')).toMatchObject([{ event_types: ['PULL_ARTIFACT'] }])
    for (const name of ['local', 'hq', 'edge', 'hq-push']) {
      expect((await stat(site.at(`secrets/${name}`))).mode & 0o777).toBe(0o600)
      expect(stdout).not.toContain(await site.secretAt(name))
    }
    const check = await runCli(['check', '--config', site.at('pullsync.yaml')])
    expect(check.code).toBe(0)
  })

  it('takes the configuration of the page about Harbor as it stands there', async () => {
    const page = await readFile('docs/harbor.md', 'utf8')
    const [, yaml = ''] = /```yaml\n([^]*?)```/.exec(page) ?? []
    const here = yaml
      .replace('https://harbor.edge.example', site.local.url)
      .replace('https://harbor.hq.example', site.hq.url)
    expect(here).not.toBe(yaml)
    await writeFile(site.at('pullsync.yaml'), here)

    const { code, done } = await site.setUp()

    expect(code).toBe(0)
    expect(done.filter(({ did }) => did === 'made')).toHaveLength(5)
  })

  it('gives the rights to delete and to list only where the configuration needs them', async () => {
    await site.configure("onUpstreamDelete: delete, resync: '0 3 * * *'")
    await site.setUp()

    expect(rightsOf(site.local)).toEqual({
      team: ['pull', 'push', 'delete', 'tag-delete'].sort(),
      lab: ['pull', 'push'],
    })
    expect(rightsOf(site.hq)).toMatchObject({ '*': ['catalog'] })
    expect(policiesOf(site.hq, 'team')[0]?.event_types).toEqual([
      'PUSH_ARTIFACT',
      'DELETE_ARTIFACT',
    ])

    await site.configure()
    await site.setUp()
    expect(rightsOf(site.local)).toEqual({ team: ['pull', 'push'], lab: ['pull', 'push'] })
    expect(rightsOf(site.hq)).not.toHaveProperty('*')
  })

  it('changes nothing when it is run again, nor with --dry-run', async () => {
    const dry = await site.setUp('--dry-run')
    expect(dry.done.map(({ did }) => did)).toContain('made')
    expect(site.writes()).toEqual([])
    await expect(stat(site.at('secrets'))).rejects.toThrow('ENOENT')

    await site.setUp()
    const before = site.writes().length
    const again = await site.setUp()
    expect(new Set(again.done.map(({ did }) => did))).toEqual(new Set(['kept']))
    expect(site.writes()).toHaveLength(before)
  })

  it('adds a project to what is there, and renews a secret that is lost', async () => {
    await site.setUp('--project', 'lab')
    expect(rightsOf(site.local)).toEqual({ lab: ['pull', 'push'] })
    const secret = await site.secretAt('local')

    await site.setUp('--project', 'team')
    expect(rightsOf(site.local)).toEqual({ lab: ['pull', 'push'], team: ['pull', 'push'] })
    expect(await site.secretAt('local')).toBe(secret)

    await writeFile(site.at('secrets/local'), 'of another day')
    const { done } = await site.setUp()
    expect(done).toContainEqual(
      expect.objectContaining({ what: `the robot account ${ROBOT}`, at: 'local', did: 'changed' }),
    )
    expect(await site.secretAt('local')).toBe(site.local.state.accounts.get(ROBOT)?.password)
  })
})
