import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cliSite, type CliSite, REASON, rowOf } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('jobs list', () => {
    it('shows jobs of every state with what is known about them', async () => {
      const ids = await site.fill()

      const { stdout, code } = await site.cli(['jobs', 'list'])

      expect(code).toBe(0)
      expect(stdout.split('\n')[0]).toMatch(
        /^ID +STATE +UPSTREAM +IMAGE +WHY +TRIES +PROGRESS\/OUTCOME +AGE$/,
      )
      expect(rowOf(stdout, ids.done)).toMatch(
        /completed +hq +team\/app:1\.0 +miss +1\/3 +copied 12\.3 MiB from hq +\d+s$/,
      )
      expect(rowOf(stdout, ids.missing)).toMatch(/completed .* not found on hq /)
      expect(rowOf(stdout, ids.flaky)).toMatch(/delayed .* 1\/3 +again in (\d+m|1h)/)
      expect(rowOf(stdout, ids.slow)).toMatch(
        /active .* 25%, 1\.0 MiB of 4\.0 MiB, 1 of 3 blobs +\d+s$/,
      )
      expect(rowOf(stdout, ids.waiting)).toMatch(/waiting +lab +lab\/app:2\.0 /)
    })

    it('says in full why a job failed, without the control characters of others', async () => {
      const { broken } = await site.fill()

      const { stdout } = await site.cli(['jobs', 'list', '--state', 'failed'])

      const [, row, reason] = stdout.split('\n')
      expect(row).toContain(broken)
      expect(reason).toBe(`    ${REASON.replace('\u001b', ' ')}`)
    })

    it('wraps the reason on a terminal', async () => {
      await site.fill()

      const { stdout } = await site.cli(['jobs', 'list', '--state', 'failed'], { columns: 100 })

      const reason = stdout.split('\n').filter((line) => line.startsWith('    '))
      expect(reason.length).toBeGreaterThan(2)
      expect(Math.max(...reason.map((line) => line.length))).toBeLessThanOrEqual(100)
      expect(reason.map((line) => line.trim()).join(' ')).toContain('answered 403 DENIED')
    })

    it.each([
      [
        ['--state', 'completed'],
        ['team/app:1.0', 'team/missing:1.0'],
      ],
      [['--upstream', 'lab'], ['lab/app:2.0']],
      [['--match', 'team/app:1.*'], ['team/app:1.0']],
      [['--match', 'team/*', '--state', 'failed'], ['team/broken:1.0']],
      [['--match', 'nothing/*'], []],
    ])('filters with %j', async (filter, images) => {
      await site.fill()

      const listed = await site.json('jobs', 'list', ...filter)

      expect(listed).toHaveLength(images.length)
      expect(listed).toEqual(
        expect.arrayContaining(images.map((image): unknown => expect.objectContaining({ image }))),
      )
    })

    it('says that there are more than the limit', async () => {
      await site.fill()

      const { stdout, stderr } = await site.cli(['jobs', 'list', '--limit', '2'])

      expect(
        stdout
          .trim()
          .split('\n')
          .filter((line) => !line.startsWith(' ')),
      ).toHaveLength(3)
      expect(stderr).toContain('only the newest 2 are shown')
    })

    it('gives scripts JSON and nothing else', async () => {
      const { broken } = await site.fill()

      const listed = await site.json('jobs', 'list', '--state', 'failed', '--limit', '1')

      expect(listed).toEqual([
        expect.objectContaining({
          id: broken,
          image: 'team/broken:1.0',
          trigger: 'miss',
          state: 'failed',
          failedReason: REASON,
          attemptsMade: 1,
          finishedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown,
        }),
      ])
    })

    it('names the upstreams that there are when asked for another', async () => {
      const { code, stderr } = await site.cli(['jobs', 'list', '--upstream', 'hqq'])

      expect(code).toBe(1)
      expect(stderr).toBe(
        'error: there is no upstream "hqq" in the configuration; there is hq, lab\n',
      )
    })

    it('says so when there is nothing', async () => {
      expect(await site.cli(['jobs', 'list'])).toEqual({
        code: 0,
        stdout: 'no such jobs\n',
        stderr: '',
      })
      expect(await site.json('jobs', 'list')).toEqual([])
    })
  })
})
