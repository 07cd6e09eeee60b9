import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startPullsync } from '../../support/process/pullsync-process.ts'
import { run } from '../../support/process/run.ts'
import { tempFolder } from '../../support/process/temp-folder.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/pullsync.js')

const CONFIG = `
redis: { url: redis://127.0.0.1:9 }
listen: 127.0.0.1:0
admin: { listen: 127.0.0.1:0 }
local: { url: http://127.0.0.1:9 }
upstreams: { hq: { url: http://127.0.0.1:9 } }
projects: [{ name: team, upstream: hq }]
`

/** The packages of which a command line loads anything, as V8 tells it. */
async function packagesOf(args: readonly string[]): Promise<ReadonlySet<string>> {
  await using folder = await tempFolder('coverage')
  const env = { NODE_V8_COVERAGE: folder.path }
  await run(process.execPath, [PROGRAM, ...args], { env })
  const files = await readdir(folder.path)
  const texts = await Promise.all(files.map((file) => readFile(join(folder.path, file), 'utf8')))
  const scripts = texts.flatMap(
    (text) => (JSON.parse(text) as { readonly result: readonly { readonly url: string }[] }).result,
  )
  const names = scripts.flatMap(
    ({ url }) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? [],
  )
  return new Set(names)
}

describe('a command line', () => {
  it.each([[['--help']], [['--version']], [['nonsense']]])(
    '%j loads nothing but what reads the command line',
    async (args) => {
      expect([...(await packagesOf(args))]).toEqual(['commander'])
    },
  )

  it.each(['serve', 'worker', 'up'])(
    'of %s says so where it may have too few files open, with 78',
    async (command) => {
      await using folder = await tempFolder('open-files')
      const config = join(folder.path, 'pullsync.yaml')
      await writeFile(config, CONFIG)
      const line = 'ulimit -n 64 && exec "$@"'
      const { code, stderr } = await run('bash', [
        ...['-c', line, 'bash', process.execPath, PROGRAM, command, '--config', config],
        ...['--data-dir', join(folder.path, 'data')],
      ])

      const told = stderr.toString('utf8')
      expect(told).toContain('may have 64 files and connections open, and needs 256')
      expect(told).not.toMatch(/EMFILE|\n\s+at /)
      expect(code).toBe(78)
    },
  )

  it('compares the files that it may have open with what the configuration may need', async () => {
    await using up = await startPullsync({
      args: ['up'],
      config: CONFIG,
      readyLine: /process started.*worker/,
      through: ['bash', '-c', 'ulimit -n 600 && exec "$@"', 'bash'],
    })

    const told = up.output().filter((line) => line.includes('few open files allowed'))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain('600 for 250 clients at once, 326 for transfers from one upstream')
  })

  it('that asks the queue loads what that needs, and no server', async () => {
    const packages = await packagesOf(['status', '--config', '/nowhere.yaml'])

    expect(packages).toContain('bullmq')
    for (const other of ['express', 'axios', 'winston']) expect(packages).not.toContain(other)
  })
})
