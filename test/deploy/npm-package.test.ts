import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/run.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** What of `npm pack --json` the tests look at. */
interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

describe('the npm package', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let packed: Packed

  beforeAll(async () => {
    folder = await tempFolder('package')
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder.path]
    const { stdout } = await run('npm', pack)
    const [only] = JSON.parse(stdout.toString('utf8')) as readonly Packed[]
    if (only === undefined) throw new Error('npm packed nothing')
    packed = only
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it('holds what runs, and nothing else', () => {
    const others = packed.files
      .map(({ path }) => path)
      .filter((path) => !/^dist\/(src|workers)\/.*\.js$/.test(path))

    expect(others.sort()).toEqual(['LICENSE', 'README.md', 'dist/pullsync.js', 'package.json'])
  })

  it('runs where it is installed, without the libraries of clouds', async () => {
    const cwd = folder.path
    const install = ['install', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund']
    const installed = await run('npm', [...install, join(folder.path, packed.filename)], {
      cwd,
      within: 120_000,
    })
    const version = await run('npx', ['--no-install', 'pullsync', '--version'], { cwd })
    const help = await run('npx', ['--no-install', 'pullsync', 'up', '--help'], { cwd })
    const clouds = await run('npm', ['ls', '--all', '@azure/identity', '@aws-sdk/client-ecr'], {
      cwd,
    })

    expect(installed.stderr.toString('utf8')).not.toContain('ERR')
    expect(version.stdout.toString('utf8')).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(help.stdout.toString('utf8')).toContain('Usage: pullsync up')
    expect(clouds.stdout.toString('utf8')).toContain('(empty)')
  })
})
