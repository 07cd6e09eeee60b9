import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findJob } from '../../../src/queue/records/job-records.ts'
import { cliSite, type CliSite, COPIED, REASON, UNDER_WAY } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('jobs show', () => {
    it('tells everything about a job, with its log', async () => {
      const { broken, done } = await site.fill()

      const failed = await site.cli(['jobs', 'show', broken])
      const copied = await site.cli(['jobs', 'show', done])

      expect(failed.stdout).toContain(`id:           ${broken}\n`)
      expect(failed.stdout).toContain('event:        event-1\n')
      expect(failed.stdout).toContain(`why it failed:\n    ${REASON.replace('\u001b', ' ')}`)
      expect(failed.stdout).toContain('log:\n    looked at team/broken\n    attempt 1 failed: push')
      expect(copied.stdout).toContain('4 copied, 1 already here, 2 linked from another repository')
    })

    it('gives scripts the job and its log', async () => {
      const { done } = await site.fill()

      expect(await site.json('jobs', 'show', done)).toMatchObject({
        id: done,
        outcome: COPIED,
        log: ['looked at team/app'],
      })
    })

    it('tells scripts which blobs are coming', async () => {
      const { slow } = await site.fill()

      expect(await site.json('jobs', 'show', slow)).toMatchObject({ progress: UNDER_WAY })
      expect(await site.json('jobs', 'list', '--state', 'active')).toEqual([
        expect.objectContaining({ id: slow, progress: UNDER_WAY }),
      ])
    })

    it('reads the progress of a version that told of no single blob', async () => {
      const id = await site.add('lab/app:2.0', 'lab')
      const { underWay: _none, ...whole } = UNDER_WAY
      await (await findJob(site.queues, id))?.job.updateProgress(whole)

      expect(await site.json('jobs', 'show', id)).toMatchObject({
        progress: { ...whole, underWay: [] },
      })
    })

    it('fails for a job that there is not', async () => {
      const { code, stdout, stderr } = await site.cli(['jobs', 'show', 'hq-0'])

      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain('there is no job "hq-0"')
    })
  })

  describe('jobs retry', () => {
    it('runs a failed job again', async () => {
      const { broken } = await site.fill()
      await site.queues.of('hq').pause()

      const { code, stdout } = await site.cli(['jobs', 'retry', broken])

      expect({ code, stdout }).toEqual({ code: 0, stdout: `${broken}  queued again\n` })
      await site.reaches(broken, 'waiting')
    })

    it('says of each job why it is not run again, and runs the others', async () => {
      const { broken, done } = await site.fill()
      await site.queues.of('hq').pause()

      const { code, stdout, stderr } = await site.cli(['jobs', 'retry', done, broken, 'hq-0'])

      expect(code).toBe(1)
      expect(stdout).toBe(`${broken}  queued again\n`)
      expect(stderr).toContain(
        `${done}: it is completed; only failed and delayed jobs can be run again`,
      )
      expect(stderr).toContain('hq-0: there is no such job')
    })

    it('runs all failed jobs that match', async () => {
      await site.fill()
      const other = await site.add('team/broken:2.0')
      await site.reaches(other, 'failed')
      await site.queues.of('hq').pause()

      const results = await site.json(
        'jobs',
        'retry',
        '--all',
        '--upstream',
        'hq',
        '--match',
        '*/*:2.*',
      )

      expect(results).toEqual([{ id: other, done: true }])
    })

    it('says that nothing has failed, and succeeds', async () => {
      const { code, stdout } = await site.cli(['jobs', 'retry', '--all'])

      expect({ code, stdout }).toEqual({ code: 0, stdout: 'no failed jobs to run again\n' })
    })

    it.each([
      [['hq-1', '--all'], 'either ids or --all'],
      [[], 'which jobs?'],
      [['hq-1', '--match', 'team/*'], 'go with --all'],
    ])('refuses %j', async (args, message) => {
      const { code, stderr } = await site.cli(['jobs', 'retry', ...args])

      expect(code).toBe(2)
      expect(stderr).toContain(message)
    })
  })

  describe('jobs remove', () => {
    it('drops jobs, but none that runs', async () => {
      const { broken, slow } = await site.fill()

      const { code, stdout, stderr } = await site.cli(['jobs', 'remove', broken, slow])

      expect(code).toBe(1)
      expect(stdout).toBe(`${broken}  removed\n`)
      expect(stderr).toContain(`${slow}: it is active`)
      expect(await findJob(site.queues, broken)).toBeUndefined()
    })
  })
})
