import { Redis } from 'ioredis'
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeCertificate, type CertificateFiles } from '../../support/network/certificate.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { freePort } from '../../support/network/free-port.ts'
import { buildImage } from '../../support/images/image.ts'
import { type PullsyncProcess, startPullsync } from '../../support/process/pullsync-process.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import { digestAt } from '../site.ts'

describe('a Redis that is guarded', () => {
  let folder: TempFolder
  let upstream: TestRegistry
  let local: TestRegistry
  let certificates: CertificateFiles

  beforeEach(async () => {
    folder = await tempFolder('guarded-redis')
    ;[upstream, local] = await Promise.all([startRegistry(), startRegistry()])
    certificates = await makeCertificate(folder.path)
  })

  afterEach(async () => {
    for (const each of [upstream, local, folder]) await each[Symbol.asyncDispose]()
  })

  async function startAll(redis: string): Promise<PullsyncProcess> {
    const [listen, admin] = [await freePort(), await freePort()]
    return await startPullsync({
      args: ['up'],
      config: `
redis: { ${redis} }
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: ${local.url} }
upstreams: { hq: { url: ${upstream.url} } }
projects: [{ name: team, upstream: hq, resync: '0 3 * * *' }]
`,
      readyUrl: `http://127.0.0.1:${admin}/readyz`,
    })
  }

  interface Row {
    readonly name: string
    readonly ok: boolean
    readonly message: string
  }

  async function redisRow(pullsync: PullsyncProcess): Promise<Row | undefined> {
    const { stdout } = await pullsync.run(['check', '--online', '--json'])
    return (JSON.parse(stdout) as { online: readonly Row[] }).online.find(
      ({ name }) => name === 'redis',
    )
  }

  it('serves over TLS with an own authority, to whoever shows a certificate', async () => {
    await using redis = await startRedis({ tls: certificates })
    const { caFile, certFile, keyFile } = certificates
    const ca = `url: ${redis.url}, caFile: ${caFile}`
    await using pullsync = await startAll(
      `${ca}, clientCertFile: ${certFile}, clientKeyFile: ${keyFile}`,
    )
    await using image = await buildImage()
    await pushOverHttp(image, { url: upstream.url, repository: 'team/app', tag: '1.0' })

    expect(await pullsync.run(['sync', 'team/app:1.0', '--wait'])).toMatchObject({ code: 0 })
    expect(await digestAt(local, 'team/app:1.0')).toBe(image.top.digest)
    expect(await redisRow(pullsync)).toMatchObject({ ok: true })

    const text = await readFile(pullsync.configFile, 'utf8')
    await pullsync.writeConfig(text.replace(/redis: .*/, `redis: { url: ${redis.url} }`))
    expect((await redisRow(pullsync))?.message).toContain('certificate')
    await pullsync.writeConfig(text.replace(/redis: .*/, `redis: { ${ca} }`))
    expect(await redisRow(pullsync)).toMatchObject({ ok: false })
  })

  it('needs no more rights than the account of the documentation has', async () => {
    const page = await readFile('docs/deployment.md', 'utf8')
    const [, account = ''] = /^ *(user pullsync on .*)$/m.exec(page) ?? []
    await using redis = await startRedis({
      accounts: ['user default on nopass ~* &* +@all', account.replace(/>\S+/, '>moonlight')],
    })
    await using pullsync = await startAll(
      `url: ${redis.url}, username: pullsync, password: moonlight`,
    )
    await using image = await buildImage()
    await pushOverHttp(image, { url: upstream.url, repository: 'team/app', tag: '1.0' })

    expect(await pullsync.run(['sync', 'team/app:1.0', '--wait'])).toMatchObject({ code: 0 })
    expect((await pullsync.run(['sync', 'team/none:1.0', '--wait'])).code).toBe(1)
    for (const args of [
      ['jobs', 'list'],
      ['status'],
      ['pause', 'hq'],
      ['resume', 'hq'],
      ['jobs', 'retry', '--all'],
    ]) {
      expect([args, (await pullsync.run(args)).code]).toEqual([args, 0])
    }
    expect(await redisRow(pullsync)).toMatchObject({
      ok: true,
      message: 'ok, a job was added, run and removed',
    })
    await pullsync.stop()

    const administrator = new Redis(redis.url)
    try {
      expect(await administrator.call('ACL', 'LOG')).toEqual([])
      expect(await administrator.keys('pullsync:check-*')).toEqual([])
    } finally {
      administrator.disconnect()
    }
  })

  it('is found out by check --online where the account may not run jobs', async () => {
    const accounts = [
      'user default on nopass ~pullsync:* &* +@all -bzpopmin',
      'user root on >root ~* &* +@all',
    ]
    await using redis = await startRedis({ accounts })
    await using pullsync = await startAll(`url: ${redis.url}`)

    const row = await redisRow(pullsync)
    expect(row?.ok).toBe(false)
    expect(row?.message).toContain('bzpopmin')
  })
})
