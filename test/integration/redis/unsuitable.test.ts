import { type AddressInfo, createServer } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, startChild } from '../../support/process/child.ts'
import { freePort } from '../../support/network/free-port.ts'
import { runPullsync, startPullsync } from '../../support/process/pullsync-process.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

let folder: TempFolder
const running: Child[] = []

beforeEach(async () => {
  folder = await tempFolder('redis kinds')
})

afterEach(async () => {
  for (const child of running.splice(0)) await child.kill9()
  await folder[Symbol.asyncDispose]()
})

describe.each(['serve', 'worker'])('pullsync %s, started', (command) => {
  it('with the address of a Sentinel, says so and ends with 78', async () => {
    const file = join(folder.path, 'sentinel.conf')
    await writeFile(file, 'sentinel monitor main 127.0.0.1 1 1\n')

    await expectRefused(
      await redisServer([file, '--sentinel']),
      /it is a Sentinel.*name the primary/,
    )
  })

  it('with a node of a cluster, says so and ends with 78', async () => {
    const bus = ['--cluster-port', `${await freePort()}`]
    const port = await redisServer(['--cluster-enabled', 'yes', ...bus])

    await expectRefused(port, /node of a Redis Cluster: name its nodes in redis\.cluster/)
  })

  it('with one that is not clustered in the place of a cluster, says so and ends with 78', async () => {
    const port = await redisServer([])

    await expectRefused(port, /no node of a Redis Cluster/, `{ cluster: ['127.0.0.1:${port}'] }`)
  })

  it('with a replica, names its primary and ends with 78', async () => {
    const port = await redisServer(['--replicaof', '127.0.0.1 6'])

    await expectRefused(port, /it is a replica of 127\.0\.0\.1:6 .*name the primary in redis\.url/)
  })

  it.each([
    ['without INFO', '+@all -info', /no permissions to run the 'info' command/],
    ['without scripts', '+@all -@scripting', /no permissions to run the 'eval' command/],
    [
      'without its keys',
      '+@all resetkeys ~other:*',
      /No permissions to access a key|no permissions/,
    ],
  ])('with an account %s, says what is missing and ends with 78', async (_, rights, reason) => {
    const file = join(folder.path, 'redis.conf')
    await writeFile(file, `user default on nopass ~pullsync:* &* ${rights}\n`)

    await expectRefused(await redisServer([file]), reason)
  })

  it('to wait for an append-only file, of a Redis that cannot or does not write one, says so and ends with 78', async () => {
    const port = await redisServer([])
    const redis = `{ url: redis://127.0.0.1:${port}, waitAof: true }`

    await expectRefused(port, /redis\.waitAof needs (Redis 7\.2 or newer|its append-only)/, redis)
  })

  it('with a wrong password, says so and ends with 78', async () => {
    await expectRefused(await redisServer(['--requirepass', 'moonlight']), /redis\.passwordFile/)
  })

  it('with one that throws jobs away, warns of it once, and nothing else prints a line', async () => {
    const port = await redisServer(['--maxmemory-policy', 'allkeys-lru'])
    await using pullsync = await started(port)

    const lines = pullsync.output().filter((line) => line.includes('allkeys-lru'))
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({ level: 'warn', message: 'redis not safe for jobs' }),
    ])
  })

  it.each(['is not there', 'says nothing'])(
    'with a Redis that %s, waits for it and ends on SIGTERM with 0',
    async (how) => {
      const silent = createServer()
      const port = await freePort()
      if (how === 'says nothing') await once(silent.listen(port, '127.0.0.1'), 'listening')
      try {
        await using pullsync = await started(port)

        // By force it would be 30 s, and 1.
        expect(await pullsync.stop()).toEqual({ code: 0, signal: null })
      } finally {
        silent.close()
      }
    },
  )

  it('and told to end while Redis hangs, ends with 0', async () => {
    const port = await redisServer([])
    await using pullsync = await started(port)
    running.at(-1)?.signal('SIGSTOP')

    // By force it would be 30 s, and 1.
    expect(await pullsync.stop()).toEqual({ code: 0, signal: null })
  })

  it('and told to end while it looks whether Redis can be used, begins nothing', async () => {
    const silent = createServer()
    let connections = 0
    silent.on('connection', () => (connections += 1))
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    try {
      const looks = once(silent, 'connection')
      const config = await configuration((silent.address() as AddressInfo).port)
      await using pullsync = await startPullsync({ args: [command], config })
      await looks

      // By force it would be 30 s, and 1.
      expect(await pullsync.stop(20_000)).toEqual({ code: 0, signal: null })
      expect([connections, pullsync.output()]).toEqual([1, []])
    } finally {
      silent.close()
    }
  }, 60_000)

  async function started(port: number) {
    return await startPullsync({
      args: [command],
      config: await configuration(port),
      readyLine: /process started/,
    })
  }

  async function expectRefused(port: number, reason: RegExp, redis?: string): Promise<void> {
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(file, await configuration(port, redis))

    const { code, stdout, stderr } = await runPullsync([command, '--config', file])

    expect([code, stderr]).toEqual([78, expect.stringMatching(reason)])
    expect(stdout + stderr).not.toMatch(/^ +at /m)
    expect((stdout + stderr).trim().split('\n').length).toBeLessThan(8)
  }
})

describe('a command that asks the queues', () => {
  it('says of a password that is wrong which one, and not that Redis is to be started', async () => {
    const stderr = await statusWith(await redisServer(['--requirepass', 'moonlight']))

    expect(stderr).toMatch(/refuses what pullsync needs \(NOAUTH.*Set redis\.passwordFile\.\n$/)
    expect(stderr).not.toContain('Start it')
  })

  async function statusWith(port: number): Promise<string> {
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(file, await configuration(port))
    const { code, stderr } = await runPullsync(['status', '--config', file])
    expect(code).toBe(1)
    return stderr
  }
})

async function redisServer(args: readonly string[]): Promise<number> {
  const port = await freePort()
  const child = await startChild({
    command: 'redis-server',
    args: [...args, '--port', String(port), '--save', '', '--bind', '127.0.0.1'],
    cwd: folder.path,
  })
  running.push(child)
  await child.waitForOutput(/ready to accept connections|Sentinel ID is/i)
  return port
}

async function configuration(
  port: number,
  redis = `{ url: redis://127.0.0.1:${port} }`,
): Promise<string> {
  return `
redis: ${redis}
listen: 127.0.0.1:${await freePort()}
admin: { listen: 127.0.0.1:${await freePort()} }
local: { url: http://127.0.0.1:5999 }
upstreams: { hq: { url: http://127.0.0.1:5998 } }
projects: [{ name: team, upstream: hq }]
`
}
