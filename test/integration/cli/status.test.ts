import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../support/network/free-port.ts'
import { cliSite, type CliSite, rowOf } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('status', () => {
    it('counts the jobs of each upstream and warns where nobody works', async () => {
      await site.fill()

      const { stdout, stderr, code } = await site.cli(['status'])

      expect(code).toBe(0)
      expect(rowOf(stdout, 'hq')).toMatch(
        /^hq +running +0 +1 +1 +1 +2 +0 .* ago: (the upstream answered 503|push of)/,
      )
      expect(rowOf(stdout, 'lab')).toMatch(/^lab +running +1 +0 +0 +0 +0 +0 /)
      expect(stderr).toContain(
        'warning: a job of lab waits: no worker serves it; start "pullsync worker"',
      )
    })

    it('fits 80 columns with every count, and names the last failure as far as there is room', async () => {
      await site.fill()

      const { stdout } = await site.cli(['status'], { columns: 80 })

      const [head = '', ...rows] = stdout.split('\n').filter((line) => line !== '')
      for (const count of ['WAITING', 'ACTIVE', 'DELAYED', 'FAILED', 'WORKERS']) {
        expect(head).toContain(count)
      }
      expect(head).toContain('LAST FAILURE')
      expect(rows).toHaveLength(2)
      for (const line of [head, ...rows]) expect(line.length).toBeLessThanOrEqual(80)
    })

    it('shows that an upstream is paused until it is resumed', async () => {
      expect((await site.cli(['pause', 'hq'])).code).toBe(0)
      expect(rowOf((await site.cli(['status'])).stdout, 'hq')).toMatch(/^hq +paused /)

      expect((await site.cli(['resume', 'hq'])).code).toBe(0)
      expect(rowOf((await site.cli(['status'])).stdout, 'hq')).toMatch(/^hq +running /)
    })

    it('shows for how long an upstream asked to be left alone', async () => {
      await site.queues.of('hq').rateLimit(30_000)

      expect(rowOf((await site.cli(['status'])).stdout, 'hq')).toMatch(/^hq +held (30|29|28)s /)
    })
  })

  describe('without Redis', () => {
    it('says which Redis it needs and waits for none, without its password', async () => {
      const port = await freePort()
      await site.configure(`redis: { url: redis://127.0.0.1:${port}, password: s3cret }`)

      const { code, stdout, stderr } = await site.cli(['jobs', 'list'])

      expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
      expect(stderr).toContain(`cannot use Redis at redis://:***@127.0.0.1:${port}: connect`)
      expect(stderr).not.toContain('s3cret')
      expect(stderr).not.toMatch(/\n {4}at /)
    })

    it('does not wait for a Redis that hangs', async () => {
      site.redis.pause()

      const { code, stderr } = await site.cli(['status'])

      site.redis.resume()
      expect(code).toBe(1)
      expect(stderr).toContain('it does not answer in time')
    })

    it('names "pullsync up" when the configuration has no Redis', async () => {
      await site.configure('')

      const { code, stderr } = await site.cli(['jobs', 'list', '--data-dir', site.folder.path])

      expect(code).toBe(1)
      expect(stderr).toContain(join(site.folder.path, 'redis.sock'))
      expect(stderr).toContain('Start "pullsync up"')
    })

    it('shows a stack only to those who debug', async () => {
      await site.redis.stop()

      const { stderr } = await site.cli(['status'], { env: { PULLSYNC_DEBUG: '1' } })

      expect(stderr).toMatch(/\n {4}at /)
    })
  })
})
