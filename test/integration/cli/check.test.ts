import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startRegistry } from '../../support/registry/docker-registry.ts'
import { freePort } from '../../support/network/free-port.ts'
import { cliSite, type CliSite, rowOf } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('check', () => {
    it('sums the configuration up', async () => {
      const { code, stdout } = await site.cli(['check'])

      expect(code).toBe(0)
      expect(stdout).toBe(
        `${join(site.folder.path, 'pullsync.yaml')} is valid: 2 upstreams, 2 projects, 0 sources\n`,
      )
    })

    it('lists every problem of a configuration', async () => {
      await site.configure('listen: nowhere\nlisten2: 1\nadmin: { listen: 0.0.0.0:99999 }')

      const { code, stdout, stderr } = await site.cli(['check'])

      expect({ code, stdout }).toEqual({ code: 78, stdout: '' })
      expect(stderr.trim().split('\n').length).toBeGreaterThanOrEqual(3)
      expect(stderr).toMatch(/pullsync\.yaml:1:\d+ +listen: /)
    })

    it('reaches Redis and every registry, and says which one does not answer', async () => {
      await using local = await startRegistry()
      const nobody = await freePort()
      await writeFile(
        join(site.folder.path, 'pullsync.yaml'),
        `
redis: { url: ${site.redis.url} }
local: { url: ${local.url} }
upstreams: { hq: { url: 'http://127.0.0.1:${nobody}' } }
projects: [{ name: team, upstream: hq }]
`,
      )

      const { code, stdout, stderr } = await site.cli(['check', '--online'])

      expect(code).toBe(1)
      expect(rowOf(stdout, 'redis')).toMatch(/ ok, a job was added, run and removed$/)
      expect(rowOf(stdout, 'local')).toMatch(/ ok, anonymous$/)
      expect(rowOf(stdout, 'hq')).toMatch(/ FAILED$/)
      expect(stdout).toContain('ECONNREFUSED')
      expect(rowOf(stdout, 'project team')).toMatch(
        / ok, may pull; whether it may push shows when it is done$/,
      )
      expect(stderr).toBe('error: 1 of 4 online checks failed\n')
    })

    it('proves the credentials', async () => {
      const htpasswd = { username: 'ops', password: 'correct-horse' } as const
      await using local = await startRegistry({ htpasswd })
      const lines = (password: string) => `
redis: { url: ${site.redis.url} }
local: { url: ${local.url}, username: ops, password: ${password} }
upstreams: { hq: { url: ${local.url}, username: ops, password: correct-horse } }
projects: [{ name: team, upstream: hq }]
`
      await writeFile(join(site.folder.path, 'pullsync.yaml'), lines('correct-horse'))
      const right = await site.cli(['check', '--online'])
      await writeFile(join(site.folder.path, 'pullsync.yaml'), lines('wrong-horse'))
      const wrong = await site.cli(['check', '--online', '--json'])

      expect(right.code).toBe(0)
      expect(rowOf(right.stdout, 'local')).toMatch(/ ok, as ops$/)
      expect(wrong.code).toBe(1)
      expect(JSON.parse(wrong.stdout)).toMatchObject({
        online: [
          ...[{ name: 'redis' }, { name: 'local', ok: false }, { name: 'hq', ok: true }],
          // Of the local side nothing can be asked.
          { name: 'project team', at: `${local.url}/team`, ok: true, message: 'ok, may pull' },
        ],
      })
      expect(wrong.stdout + wrong.stderr).not.toContain('wrong-horse')
    })
  })
})
