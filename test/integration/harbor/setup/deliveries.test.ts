import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../../support/network/free-port.ts'
import { type PullsyncProcess, startPullsync } from '../../../support/process/pullsync-process.ts'
import { containing, present, setupSite, type SetupSite } from './setup-site.ts'

describe('setup harbor', () => {
  let site: SetupSite

  beforeEach(async () => {
    site = await setupSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('with pullsync running', () => {
    let pullsync: PullsyncProcess

    afterEach(async () => {
      await pullsync[Symbol.asyncDispose]()
    })

    it.each(['CloudEvents', 'Default'])(
      'proves by a delivery in the format %s that pullsync hears both',
      async (format) => {
        const admin = await freePort()
        await site.configure('', admin)
        await site.setUp('--payload-format', format)
        pullsync = await startPullsync({
          args: ['up'],
          config: { file: site.at('pullsync.yaml') },
          readyUrl: `http://127.0.0.1:${admin}/readyz`,
        })

        const { code, done } = await site.setUpAndProve('--payload-format', format)

        expect(code).toBe(0)
        const deliveries = done.filter(({ what }) => what.startsWith('a delivery'))
        expect(deliveries).toHaveLength(4)
        expect(deliveries.every(({ note }) => note === 'pullsync took it')).toBe(true)
        for (const each of [site.hq, site.local]) {
          expect(each.delivered.every(({ status }) => status === 202)).toBe(true)
          expect(each.state.artifacts('team/pullsync-setup')).toBeUndefined()
        }
      },
    )

    it('tries without tags, and says where a policy refuses what it tries with', async () => {
      const admin = await freePort()
      present(site.hq.state.projects.get('team')).contentTrust = true
      site.local.addProject('team', { contentTrust: true })
      await site.configure('onUpstreamPush: always', admin)
      await site.setUp()
      pullsync = await startPullsync({
        args: ['up'],
        config: { file: site.at('pullsync.yaml') },
        readyUrl: `http://127.0.0.1:${admin}/readyz`,
      })

      const { code, done, stderr } = await site.setUpAndProve('--project', 'team')

      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      const deliveries = done.filter(({ what }) => what.startsWith('a delivery'))
      expect(deliveries).toMatchObject([
        { at: 'local', did: 'left', note: containing('a policy of the project refuses') },
        { at: 'hq', did: 'made', note: 'pullsync took it' },
      ])
      expect(site.writes().filter(({ path }) => path.endsWith('/manifests/test'))).toEqual([])
      for (const each of [site.hq, site.local]) {
        expect(each.state.artifacts('team/pullsync-setup')).toBeUndefined()
      }
    })
  })
})
