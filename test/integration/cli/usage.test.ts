import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cliSite, type CliSite } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('usage', () => {
    it.each([
      [['--help'], 0],
      [['jobs', 'list', '--help'], 0],
      [['--version'], 0],
      [[], 2],
      [['jobs'], 2],
      [['nonsense'], 2],
      [['status', '--nonsense'], 2],
      [['jobs', 'list', '--state', 'sleeping'], 2],
      [['jobs', 'list', '--limit', '0'], 2],
      [['pause'], 2],
      [['up', '--admin-listen', 'nowhere'], 2],
      [['sync', 'team/app', '--wait', '--timeout', 'soon'], 2],
    ])('ends %j with exit code %i', async (args, code) => {
      const result = await site.cli(args)

      expect(result.code).toBe(code)
      expect(code === 0 ? result.stdout : result.stderr).not.toBe('')
      expect(code === 0 ? result.stderr : result.stdout).toBe('')
    })

    it('says that a folder is no log', async () => {
      const { path } = site.folder

      expect(await site.cli(['tail-log', path])).toMatchObject({
        code: 1,
        stderr: `error: cannot follow ${path}: it is a folder. Name the log file in it.\n`,
      })
    })

    it('takes the global options before and after the command', async () => {
      const elsewhere = join(site.folder.path, 'elsewhere.yaml')

      const before = await site.cli(['--config', elsewhere, 'status'])
      const after = await site.cli(['status', '--config', elsewhere])

      expect(before).toEqual(after)
      expect(before.code).toBe(78)
      expect(before.stderr).toContain('elsewhere.yaml')
    })
  })
})
