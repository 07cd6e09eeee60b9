import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { socketPathOf, socketUrl } from '../../../src/cli/redis/redis-location.ts'
import { redisAnswers } from '../../../src/pool/ready.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/network/free-port.ts'
import {
  type PullsyncProcess,
  type PullsyncResult,
  runPullsync,
  startPullsync,
} from '../../support/process/pullsync-process.ts'
import { run } from '../../support/process/run.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

describe('pullsync as a process', () => {
  let folder: TempFolder
  let dataDir: string
  const running: PullsyncProcess[] = []

  beforeEach(async () => {
    folder = await tempFolder('cli process')
    dataDir = join(folder.path, 'my data')
  })

  afterEach(async () => {
    for (const process of running.splice(0)) await process[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  async function configuration(redis = ''): Promise<string> {
    const [listen, admin, local] = [await freePort(), await freePort(), await freePort()]
    return `${redis}
listen: 127.0.0.1:${listen}
admin: { listen: 127.0.0.1:${admin} }
local: { url: 'http://127.0.0.1:${local}' }
upstreams: { hq: { url: 'http://127.0.0.1:${local}' } }
projects: [{ name: team, upstream: hq }]
jobs: { backoff: 1h, maxBackoff: 1h }
`
  }

  async function up(): Promise<PullsyncProcess> {
    const admin = await freePort()
    const started = await startPullsync({
      args: ['up', '--data-dir', dataDir, '--admin-listen', `127.0.0.1:${admin}`],
      config: await configuration(),
      readyUrl: `http://127.0.0.1:${admin}/readyz`,
    })
    running.push(started)
    return started
  }

  async function withFile(
    args: readonly string[],
    config: string,
    env: Readonly<Record<string, string>> = {},
  ): Promise<PullsyncResult> {
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(file, config)
    return await runPullsync([...args, '--config', file], { env })
  }

  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }

  /** The process of the own Redis. */
  async function redisPid(): Promise<number> {
    const { stdout } = await run('redis-cli', ['-s', socketPathOf(dataDir), 'INFO', 'server'])
    return Number(/^process_id:(\d+)/m.exec(stdout.toString())?.[1])
  }

  describe('exit codes', () => {
    it('are 0 for what was done', async () => {
      const { code, stdout } = await runPullsync(['--version'])

      expect(code).toBe(0)
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    })

    it('are 1 for what failed, without a stack', async () => {
      const redis = `redis: { url: 'redis://127.0.0.1:${await freePort()}' }`

      const { code, stderr } = await withFile(['status'], await configuration(redis))

      expect(code).toBe(1)
      expect(stderr).toMatch(/^error: cannot use Redis at .*ECONNREFUSED.*\n$/)
    })

    it('are 2 for wrong usage', async () => {
      const { code, stderr } = await runPullsync(['jobs', 'retry'])

      expect(code).toBe(2)
      expect(stderr).toBe('error: which jobs? Give their ids, or --all\n')
    })

    it.each(['serve', 'worker', 'up', 'status'])(
      'are 78 when the configuration of "%s" is wrong, with every problem',
      async (command) => {
        const { code, stderr } = await withFile([command], 'listen: nowhere\nlocal: {}\n')

        expect(code).toBe(78)
        expect(stderr).toContain('listen: ')
        expect(stderr).toContain('local.url: ')
        expect(stderr).toContain('upstreams: ')
      },
    )

    it.each(['serve', 'worker', 'up'])(
      'are 78 when "%s" finds a mistake in its environment',
      async (command) => {
        const config = (await configuration("redis: { url: 'redis://127.0.0.1:9' }")).replace(
          /hq: \{ url: '[^']+'/,
          "hq: { url: 'https://hq.example'",
        )
        const wrong = [
          [{ LOG_LEVEL: 'verbose' }, 'LOG_LEVEL is "verbose", expected one of error, warn'],
          [{ HTTPS_PROXY: 'socks5://pr.example' }, 'HTTPS_PROXY is no http:// or https:// address'],
        ] as const

        for (const [env, told] of wrong) {
          const { code, stderr } = await withFile([command], config, env)

          expect([code, stderr]).toEqual([78, expect.stringContaining(told)])
        }
      },
    )

    it.each(['serve', 'worker'])('are 78 for "%s" without a Redis to share', async (command) => {
      const { code, stderr } = await withFile([command], await configuration())

      expect(code).toBe(78)
      expect(stderr).toContain('pullsync up')
    })
  })

  it.each([
    ['serve', /configuration reloaded/],
    ['worker', /configuration reloaded/],
    ['up', /process started/],
  ])(
    'takes a SIGHUP while "%s" starts for the wish to read the configuration again',
    async (command, told) => {
      const config = await configuration("redis: { url: 'redis://127.0.0.1:9' }")
      const [file, next] = [join(folder.path, 'pullsync.yaml'), join(folder.path, 'next.yaml')]
      await run('mkfifo', [file])
      await writeFile(next, config.replace('backoff: 1h', 'backoff: 1m'))
      await using pullsync = await startPullsync({ args: [command], config: { file } })
      // It is there once the process reads the configuration, which it does until this is closed.
      const first = await open(file, 'w')

      pullsync.child.signal('SIGHUP')
      await rename(next, file)
      await first.writeFile(config)
      await first.close()

      await pullsync.child.waitForOutput(told)
      await pullsync.child.waitForOutput(/process started/)
      expect(await pullsync.stop()).toEqual({ code: 0, signal: null })
    },
  )

  it('ends quietly when nobody reads on', async () => {
    const { configFile } = await up()
    const child = spawn(
      'bash',
      [
        '-c',
        `set -o pipefail; "$0" "$@" | true; exit "\${PIPESTATUS[0]}"`,
        process.execPath,
        join(import.meta.dirname, '../../../dist/pullsync.js'),
        ...['jobs', 'list', '--json', '--config', configFile, '--data-dir', dataDir],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )

    const ended = once(child, 'close')
    const stderr = await text(child.stderr)
    const [code] = (await ended) as [number | null]

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  })

  describe('up', () => {
    it('runs with a Redis of its own that only its user can reach, and ends it last', async () => {
      const pullsync = await up()
      const socket = socketPathOf(dataDir)

      const status = await pullsync.run(['status', '--data-dir', dataDir])

      expect(status.code).toBe(0)
      expect(status.stdout).toMatch(/^hq +running +0 +0 +0 +0 +0 +1 /m)
      expect((await stat(dataDir)).mode & 0o777).toBe(0o700)
      expect((await stat(socket)).mode & 0o077).toBe(0)

      expect(await pullsync.stop()).toEqual({ code: 0, signal: null })
      expect(await redisAnswers(socketUrl(socket))).toBe(false)
      expect(pullsync.output().join('\n')).not.toContain('redis connection failed')
    })

    it('keeps its jobs from one run to the next', async () => {
      const first = await up()
      await first.run(['pause', 'hq', '--data-dir', dataDir])
      await first.run(['sync', 'team/app:1.0', '--data-dir', dataDir])
      await first.stop()

      const second = await up()

      const listed = await second.run(['jobs', 'list', '--data-dir', dataDir])
      expect(listed.stdout).toContain('team/app:1.0')
    })

    it('takes the data of a killed run over, and leaves no process behind', async () => {
      const killed = await up()
      await killed.run(['pause', 'hq', '--data-dir', dataDir])
      await killed.run(['sync', 'team/app:1.0', '--data-dir', dataDir])
      await killed.kill9()
      const leftOver = await redisPid()

      const next = await up()

      const listed = await next.run(['jobs', 'list', '--data-dir', dataDir])
      expect(listed.stdout).toContain('team/app:1.0')
      const last = await redisPid()
      expect(last).not.toBe(leftOver)
      await next.stop()
      expect([leftOver, last].filter(isAlive)).toEqual([])
    })

    it('refuses a data folder that another run uses', async () => {
      await up()

      const { code, stderr } = await withFile(['up', '--data-dir', dataDir], await configuration())

      expect(code).toBe(1)
      expect(stderr).toContain('another "pullsync up" runs with this --data-dir')
    })

    it('ends with code 1 and says why when its Redis dies', async () => {
      const pullsync = await up()

      process.kill(await redisPid(), 'SIGKILL')

      expect((await pullsync.child.waitForExit()).code).toBe(1)
      expect(pullsync.output().join('\n')).toContain(
        'error: redis-server is gone: it was ended by SIGKILL',
      )
    })

    it('says what to install when there is no redis-server', async () => {
      const file = join(folder.path, 'pullsync.yaml')
      await writeFile(file, await configuration())

      const { code, stderr } = await runPullsync(['up', '--config', file, '--data-dir', dataDir], {
        env: { PATH: folder.path },
      })

      expect(code).toBe(1)
      expect(stderr).toContain('apt-get install redis-server')
    })
  })

  // TypeScript leaves the address of an import() as it is in a function that has "await using".
  it('imports what was built, and no sources', async () => {
    const built = join(import.meta.dirname, '../../../dist')
    const files = (await readdir(built, { recursive: true })).filter((name) => name.endsWith('.js'))
    const texts = await Promise.all(files.map((name) => readFile(join(built, name), 'utf8')))

    expect(files.length).toBeGreaterThan(100)
    expect(files.filter((_, at) => /import\(['"][^'"]+\.ts['"]\)/.test(texts[at] ?? ''))).toEqual(
      [],
    )
  })

  describe('sync --wait', () => {
    it('says why the job is put off, and on Ctrl-C that it goes on', async () => {
      const pullsync = await up()
      const script = join(import.meta.dirname, '../../../dist/pullsync.js')
      const { configFile } = pullsync
      const child = spawn(
        process.execPath,
        [script, 'sync', 'team/app:1.0', '--wait', '--config', configFile, '--data-dir', dataDir],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      )
      let stdout = ''
      child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
      const ended = once(child, 'close')
      const stderr = text(child.stderr)
      // Nobody listens where the local registry should be: that costs the job no attempt.
      await eventually(() => /^delayed: .*ECONNREFUSED/m.test(stdout), {
        describe: () => `the reason in "${stdout}"`,
      })

      child.kill('SIGINT')

      const [code] = (await ended) as [number | null]
      expect(code).toBe(1)
      expect(await stderr).toMatch(/stopped waiting; the job goes on; "pullsync jobs show hq-/)
    })
  })
})
