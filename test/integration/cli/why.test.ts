import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Breakers } from '../../../src/pool/breaker.ts'
import { openWorkerConnection } from '../../../src/pool/connection.ts'
import { LocalPolicies } from '../../../src/pool/gateways/local-policies.ts'
import { Presence } from '../../../src/pool/presence.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { buildImage } from '../../support/images/image.ts'
import { OUTAGES } from '../../support/given/outages.ts'
import { pushOverHttp } from '../../support/images/push-over-http.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { type CliResult, runCli } from '../../support/process/run-cli.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

describe('pullsync why', () => {
  let redis: TestRedis
  let hq: TestRegistry
  let local: TestRegistry
  let folder: TempFolder

  beforeAll(async () => {
    ;[redis, hq, local, folder] = await Promise.all([
      startRedis({ appendOnly: false }),
      startRegistry(),
      startRegistry(),
      tempFolder('why'),
    ])
    const config = `
redis: { url: ${redis.url} }
local: { url: ${local.url} }
upstreams:
  hq: { url: ${hq.url} }
  lab: { url: http://127.0.0.1:1 }
projects:
  - name: team
    upstream: hq
    upstreamProject: platform
    repositories: { include: ['app*', 'web'], exclude: ['**-scratch'] }
    tags: { exclude: ['*-rc*', 'nightly'] }
  - { name: off, upstream: hq, autoSync: false }
  - { name: strict, upstream: hq, policy: local }
  - { name: open, upstream: hq }
  - { name: lab, upstream: lab, onUnavailable: 503, onMiss: hold, holdFor: 30s }
`
    await writeFile(join(folder.path, 'pullsync.yaml'), config)
  })

  afterAll(async () => {
    for (const part of [folder, local, hq, redis]) await part[Symbol.asyncDispose]()
  })

  async function why(...args: readonly string[]): Promise<CliResult> {
    const env = { PULLSYNC_CONFIG: join(folder.path, 'pullsync.yaml') }
    return await runCli(['why', ...args], { env })
  }

  it.each([
    ['team/app:1.0-rc1', "tags filter leaves this tag out; tags.exclude has '*-rc*'"],
    ['team/app-scratch:1', "leaves this repository out; repositories.exclude has '**-scratch'"],
    ['team/db:1', 'leaves this repository out; repositories.include has no pattern for it'],
    ['off/app:1', 'its project has autoSync: false'],
    ['nobody/app:1', 'no project of the configuration has this name'],
  ])('of %s names the line that keeps it out', async (image, words) => {
    const { code, stdout } = await why(image)

    expect(code).toBe(0)
    expect(stdout).toContain(words)
    expect(stdout).toMatch(/a client gets: *the local registry's own 404, at once/)
  })

  it('names the upstream and its name there, the jobs, and who has it now', async () => {
    await using image = await buildImage()
    await pushOverHttp(image, { url: hq.url, repository: 'platform/app', tag: '1.0' })
    const env = { PULLSYNC_CONFIG: join(folder.path, 'pullsync.yaml') }
    const queued = await runCli(['sync', 'team/app:1.0', '--json'], { env })
    const { jobId } = JSON.parse(queued.stdout) as { readonly jobId: string }

    const { stdout } = await why('team/app:1.0', '--online')

    expect(stdout).toMatch(/a pull: +brings it here/)
    expect(stdout).toMatch(/upstream: +platform\/app:1.0 of hq/)
    expect(stdout).toMatch(/hq: +no worker: 1 jobs wait/)
    expect(stdout).toMatch(new RegExp(`lately: +${jobId} waiting`))
    expect(stdout).toMatch(/here: +127\.0\.0\.1:\d+\/team\/app has none/)
    expect(stdout).toContain(`/platform/app has ${image.top.digest}`)
    const json = await why('team/app:1.0', '--online', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ image: 'team/app:1.0', project: 'team', verdict: { brought: true } },
      jobs: [{ id: jobId, state: 'waiting' }],
      online: [{ registry: 'local' }, { registry: 'hq', digest: image.top.digest }],
    })
  })

  it('answers from the configuration while Redis is away, and says what it cannot see', async () => {
    await using elsewhere = await tempFolder('why-without-redis')
    const file = join(elsewhere.path, 'pullsync.yaml')
    const config = await readFile(join(folder.path, 'pullsync.yaml'), 'utf8')
    await writeFile(file, config.replace(redis.url, 'redis://127.0.0.1:1'))
    const env = { PULLSYNC_CONFIG: file }

    const filtered = await runCli(['why', 'team/app:1.0-rc1'], { env })
    const brought = await runCli(['why', 'team/app:3.0', '--online'], { env })
    const json = await runCli(['why', 'team/app:3.0', '--json'], { env })

    expect(filtered.code).toBe(0)
    expect(filtered.stdout).toContain("tags.exclude has '*-rc*'")
    expect(brought.stdout).toMatch(/upstream: +platform\/app:3.0 of hq/)
    expect(brought.stdout).toMatch(/not seen: +how its upstream is.* cannot use Redis at redis:/)
    expect(brought.stdout).toMatch(/here: +127\.0\.0\.1:\d+\/team\/app has none/)
    expect(brought.stdout).not.toContain('a client gets')
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ verdict: { brought: true }, from: ['hq'] },
      unseen: expect.stringContaining('cannot use Redis') as string,
    })
  })

  it('says where clients wait for the word of the local registry, as configured or learned', async () => {
    const connection = openWorkerConnection(redis.url, () => undefined)
    try {
      await using worker = new Presence(connection, 'a-worker', () => undefined)
      await worker.join('hq')
      const gets = async (image: string) =>
        /a client gets: +(.*)/.exec((await why(image)).stdout)?.[1]

      const [strict, open] = [await gets('strict/app:1'), await gets('open/app:1')]
      new LocalPolicies(connection, () => undefined).note('open')
      await connection.ping()

      expect(open).toMatch(/^the image while it is being copied/)
      expect(strict).toBe(
        'the image, once the local registry itself gives it; 404 if that takes longer than 20s',
      )
      expect(await gets('open/app:1')).toBe(strict)
    } finally {
      connection.disconnect()
    }
  })

  it('says what a client gets while the upstream is down, and why', async () => {
    const connection = openWorkerConnection(redis.url, () => undefined)
    try {
      const breakers = new Breakers(connection, () => OUTAGES)
      await breakers.failed('lab', { kind: 'down', reason: 'no route to it', forMs: 600_000 })
    } finally {
      connection.disconnect()
    }

    const { stdout } = await why('127.0.0.1:1/lab/app:1', '--online')

    expect(stdout).toMatch(/lab: +no worker|lab: +down: no route to it/)
    expect(stdout).toMatch(/a client gets: +503 at once, and the image is queued: lab is down/)
    expect(stdout).toMatch(/at lab: +.*ECONNREFUSED/)
  })
})
