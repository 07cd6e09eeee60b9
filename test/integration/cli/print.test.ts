import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { cliSite, type CliSite } from './cli-site.ts'

describe('the command line', () => {
  let site: CliSite

  beforeEach(async () => {
    site = await cliSite()
  })

  afterEach(() => site[Symbol.asyncDispose]())

  describe('print', () => {
    const SOURCES = `
sources:
  edge: { format: distribution, registry: local, secret: edge-secret }
  hq-push: { format: distribution, registry: hq, secret: hq-secret }
  misses: { format: pull-miss, registry: local, secret: miss-secret }
  cloud: { format: gar, registry: hq, audience: an-audience, email: push@lab.example }
  hub: { format: quay, registry: hq, secret: 'a secret' }`

    it('prints the notifications block of a source, its secret only when asked', async () => {
      await site.configure(SOURCES)
      const args = ['print', 'notifications', 'edge']

      const plain = await site.cli(args)
      const secret = await site.cli([
        ...args,
        '--with-secrets',
        '--url',
        'http://pullsync.example:8080/',
      ])

      expect(plain.stdout).toContain('notifications:')
      expect(plain.stdout).toContain('http://127.0.0.1:8080/v1/events/edge')
      expect(plain.stdout).toContain('from elsewhere, print it with --url')
      expect(plain.stdout).not.toContain('edge-secret')
      expect(secret.stdout).toContain('http://pullsync.example:8080/v1/events/edge')
      expect(secret.stdout).toContain('Bearer edge-secret')
    })

    it("leaves the local registry's pulls in, and an upstream's out", async () => {
      await site.configure(SOURCES)

      const edge = await site.cli(['print', 'notifications', 'edge'])
      const hq = await site.cli(['print', 'notifications', 'hq-push'])

      expect(edge.stdout).toContain('actions: [mount]')
      expect(hq.stdout).toContain('actions: [pull, mount]')
    })

    it.each([[], ['--with-secrets']])(
      'prints JSON that can be pasted as it is, with what is to be said beside it %j',
      async (...options) => {
        await site.configure('sources: { space: { format: zot, registry: hq, secret: moonlight } }')

        const { code, stdout, stderr } = await site.cli(['print', 'notifications', ...options])

        expect(code).toBe(0)
        expect(JSON.parse(stdout)).toHaveProperty('extensions.events.sinks')
        expect(stderr).toMatch(/^# In zot's config\.json/m)
      },
    )

    it('needs a name where several sources fit, and none where one does', async () => {
      await site.configure(SOURCES)

      const several = await site.cli(['print', 'notifications'])
      const one = await site.cli(['print', 'nginx'])
      const unknown = await site.cli(['print', 'nginx', 'edge'])

      expect(several.code).toBe(2)
      expect(several.stderr).toContain('edge, hq-push, cloud, hub')
      expect(one.code).toBe(0)
      expect(one.stdout).toContain('/v1/events/misses')
      expect(one.stdout).toContain('server 127.0.0.1:5000;')
      expect(unknown.code).toBe(1)
      expect(unknown.stderr).toContain('there is no source "edge" with format: pull-miss')
    })

    it('prints an nginx that listens where it is told to', async () => {
      await site.configure(SOURCES)

      const one = await site.cli(['print', 'nginx', '--listen', '127.0.0.1:5080'])
      const six = await site.cli(['print', 'nginx', '--listen', '[::1]:5080'])
      const elsewhere = await site.cli([
        'print',
        'notifications',
        'edge',
        '--listen',
        '127.0.0.1:5080',
      ])

      expect(one.stdout).toContain('listen 127.0.0.1:5080;')
      expect(six.stdout).toContain('listen [::1]:5080;')
      expect(elsewhere.code).toBe(2)
    })

    it.each([
      ['cloud', "--push-auth-token-audience 'an-audience'"],
      ['hub', 'https://pullsync.example/v1/events/hub/a%20secret'],
    ])('prints what the sender of %s needs, named as an option', async (id, told) => {
      await site.configure(SOURCES)
      const options = ['--with-secrets', '--url', 'https://pullsync.example']

      const { code, stdout } = await site.cli([
        'print',
        'notifications',
        '--source',
        id,
        ...options,
      ])

      expect(code).toBe(0)
      expect(stdout).toContain(told)
    })

    it('says what to add to the configuration when no source fits', async () => {
      const { code, stderr } = await site.cli(['print', 'nginx'])

      expect(code).toBe(1)
      expect(stderr).toContain('misses: { format: pull-miss, registry: local, secretFile:')
    })
  })
})
