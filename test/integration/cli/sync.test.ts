import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findJob } from '../../../src/queue/records/job-records.ts'
import { eventually } from '../../support/eventually.ts'
import { Screen } from '../../support/process/screen.ts'
import { cliSite, type CliSite, REASON } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('sync', () => {
    it('queues an image that autoSync leaves alone, and tells the id', async () => {
      const { code, stdout } = await site.cli(['sync', 'lab/app:3.0'])

      const [id = ''] = stdout.split(' ')
      expect(code).toBe(0)
      expect((await findJob(site.queues, id))?.record).toMatchObject({
        state: 'waiting',
        request: { repository: 'lab/app', reference: '3.0', trigger: 'manual' },
      })
    })

    it.each([
      ['Team/app', '"Team" must be lower-case'],
      ['team/app:-x', 'is not a tag'],
      ['team/../app', 'is not a repository name'],
      ['team/app@sha256:12', 'is not a digest'],
    ])('refuses %s as wrong usage', async (name, message) => {
      const { code, stderr } = await site.cli(['sync', name])

      expect(code).toBe(2)
      expect(stderr).toContain(message)
    })

    it.each([
      ['nobody/app:1.0', 'no project of the configuration has this name'],
      ['team/app:1-rc1', 'tags filter leaves this tag out'],
    ])('says why %s is not replicated', async (name, message) => {
      const { code, stderr } = await site.cli(['sync', name])

      expect(code).toBe(1)
      expect(stderr).toContain(message)
    })

    it('waits until the image is here', async () => {
      site.startWorker()

      const { code, stdout } = await site.cli(['sync', 'team/app:1.0', '--wait'])

      expect(code).toBe(0)
      expect(stdout).toContain('copied 12.3 MiB from hq\n')
      expect(stdout).toContain('  blobs: 4 copied, 1 already here')
    })

    it('fails when the image is not there, or the job fails', async () => {
      site.startWorker()

      const missing = await site.cli(['sync', 'team/missing:1.0', '--wait'])
      const broken = await site.cli(['sync', 'team/broken:1.0', '--wait', '--json'])

      expect(missing.code).toBe(1)
      expect(missing.stderr).toContain('the image was not copied: not found on hq')
      expect(broken.code).toBe(1)
      expect(JSON.parse(broken.stdout)).toMatchObject({ state: 'failed', failedReason: REASON })
      expect(broken.stderr).toContain('answered 403 DENIED')
    })

    it('shows on a terminal how the whole is going and each blob that is coming', async () => {
      site.startWorker()
      const screen = new Screen({ columns: 70, rows: 24 })
      const args = ['sync', 'team/slow:1.0', '--wait', '--timeout', '2s']

      const { code } = await site.cli(args, { terminal: screen })

      expect(code).toBe(1)
      expect(screen.lines.slice(1)).toEqual([
        'active: 25%, 1.0 MiB of 4.0 MiB, 1 of 3 blobs',
        '  111111111111  [===========>          ]   512.0 KiB of 1.0 MiB   50%',
        '  222222222222  [>                     ]         0 B of 2.0 MiB    0%',
      ])
    })

    it('leaves nothing of it on the terminal once the job has ended', async () => {
      site.startWorker()
      const screen = new Screen({ columns: 100, rows: 24 })

      const syncing = site.cli(['sync', 'team/held:1.0', '--wait'], { terminal: screen })
      await eventually(() => screen.lines.some((line) => line.includes('111111111111  [====')))
      site.release()

      expect((await syncing).code).toBe(0)
      expect(screen.lines).toEqual([
        expect.stringMatching(/^hq-\w+ {2}team\/held:1\.0 queued, from hq$/),
        'copied 12.3 MiB from hq',
        `  digest: sha256:${'0'.repeat(64)}`,
        '  fetched: 12.3 MiB from hq',
        '  manifests: 3',
        '  blobs: 4 copied, 1 already here, 2 linked from another repository',
      ])
    })

    it('writes a line per state where nobody watches, and no bars', async () => {
      site.startWorker()

      const { stdout } = await site.cli(['sync', 'team/slow:1.0', '--wait', '--timeout', '1s'])

      expect(stdout).toMatch(/^hq-\w+ {2}team\/slow:1\.0 queued, from hq\n(waiting\n)?active\n$/)
    })

    it('stops waiting after the time it was given, while the job goes on', async () => {
      const { code, stderr } = await site.cli(['sync', 'team/app:1.0', '--wait', '--timeout', '1s'])

      expect(code).toBe(1)
      expect(stderr).toMatch(
        /not done within 1s: no worker serves it; .*; the job goes on; "pullsync jobs show hq-/,
      )
      expect(stderr).toContain('warning: a job of hq waits: no worker serves it')
    })
  })
})
