import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/process/run.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

/** What of `npm pack --json` the tests look at. */
interface Packed {
  readonly filename: string
  readonly files: readonly { readonly path: string }[]
}

// Nothing is asked of any of them: the library comes before the connection.
const CLOUDS = `
redis: { url: redis://127.0.0.1:9 }
local: { url: http://127.0.0.1:9 }
upstreams:
  aws: { url: https://123456789012.dkr.ecr.eu-west-1.amazonaws.com, auth: ecr }
  public: { url: https://public.ecr.aws, auth: ecr }
  google: { url: https://europe-docker.pkg.dev, auth: gar }
  azure: { url: https://example.azurecr.io, auth: acr }
projects: [{ name: team, upstream: [aws, public, google, azure] }]
`

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

  describe('where it is installed', () => {
    beforeAll(async () => {
      const install = ['install', '--ignore-scripts', '--no-audit', '--no-fund']
      const { code, stderr } = await run('npm', [...install, join(folder.path, packed.filename)], {
        cwd: folder.path,
        within: 120_000,
      })
      if (code !== 0) throw new Error(stderr.toString('utf8'))
    }, 120_000)

    async function pullsync(...args: string[]): Promise<string> {
      const cwd = folder.path
      const { stdout, stderr } = await run('npx', ['--no-install', 'pullsync', ...args], { cwd })
      return stdout.toString('utf8') + stderr.toString('utf8')
    }

    it('runs', async () => {
      expect(await pullsync('--version')).toMatch(/^\d+\.\d+\.\d+\n$/)
      expect(await pullsync('up', '--help')).toContain('Usage: pullsync up')
    })

    it('is without the libraries of clouds, which it asks for by name where one is needed', async () => {
      const config = join(folder.path, 'clouds.yaml')
      await writeFile(config, CLOUDS)

      const told = await pullsync('check', '--online', '--config', config)

      for (const library of Object.keys(await cloudLibraries())) {
        expect(told).toContain(`npm install ${library}"`)
        await expect(access(join(folder.path, 'node_modules', library))).rejects.toThrow('ENOENT')
      }
    })
  })
})

/** Those that package.json leaves to whoever installs it. */
async function cloudLibraries(): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile('package.json', 'utf8')
  return (JSON.parse(text) as { readonly peerDependencies: Readonly<Record<string, string>> })
    .peerDependencies
}
