import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { makeCertificate } from '../../support/network/certificate.ts'
import { eventually } from '../../support/eventually.ts'
import { PRIMARY_NAME, startWatchedRedis } from '../../support/redis/sentinels.ts'
import { runPullsync } from '../../support/process/pullsync-process.ts'
import { tempFolder } from '../../support/process/temp-folder.ts'
import { arrives, type JobJson, startSite } from '../site.ts'

it('all processes follow the primary that Sentinels name, and jobs of the one that died are done', async () => {
  await using redis = await startWatchedRedis()
  const redisConfig = `{ sentinels: [${redis.sentinels.map((at) => `'${at}'`).join(', ')}], name: ${PRIMARY_NAME} }`
  await using site = await startSite({ redisConfig })
  const before = await redis.primaryPort()
  const first = await site.publish('team/before:1.0')
  expect(await site.miss('team/before', '1.0')).toMatchObject({ status: 202 })
  await arrives(site, 'team/before:1.0', first)
  const waiting = await site.publish('team/waiting:1.0')
  await site.serve.run(['pause', 'hq'])
  expect(await site.miss('team/waiting', '1.0')).toMatchObject({ status: 202 })
  const isMiss = ({ request }: JobJson) => request.trigger === 'miss'
  await eventually(async () => (await site.jobs('--match', 'team/waiting')).some(isMiss))

  await redis.killPrimary()

  await eventually(async () => (await redis.primaryPort()) !== before)
  const after = await site.publish('team/after:1.0')
  await eventually(async () => (await site.miss('team/after', '1.0')).status === 202, {})
  expect(await site.serve.run(['resume', 'hq'])).toMatchObject({ code: 0 })
  await arrives(site, 'team/waiting:1.0', waiting)
  await arrives(site, 'team/after:1.0', after)
  const checked = await site.serve.run(['check', '--online'])
  expect(checked.stdout).toMatch(/^redis .* ok/m)
})

it('Sentinels with passwords of their own are asked over TLS, and so is the primary', async () => {
  await using folder = await tempFolder('guarded-sentinels')
  const tls = await makeCertificate(folder.path)
  await using redis = await startWatchedRedis({
    tls,
    password: 'moonlight',
    sentinelPassword: 'starlight',
  })
  const check = async (sentinelPassword: string) => {
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(
      file,
      `
redis:
  sentinels: [${redis.sentinels.map((at) => `'${at}'`).join(', ')}]
  name: ${PRIMARY_NAME}
  password: moonlight
  sentinelLogin: { password: ${sentinelPassword} }
  tls: true
  caFile: ${tls.caFile}
  clientCertFile: ${tls.certFile}
  clientKeyFile: ${tls.keyFile}
local: { url: http://127.0.0.1:5999 }
upstreams: { hq: { url: http://127.0.0.1:5998 } }
projects: [{ name: team, upstream: hq }]
`,
    )
    const { stdout } = await runPullsync(['check', '--online', '--json', '--config', file])
    const { online } = JSON.parse(stdout) as {
      readonly online: readonly { readonly name: string; readonly message: string }[]
    }
    return online.find(({ name }) => name === 'redis')?.message
  }

  expect(await check('starlight')).toContain('ok, a job was added, run and removed')
  expect(await check('daylight')).toMatch(/sentinels are unreachable.*WRONGPASS/)
})
