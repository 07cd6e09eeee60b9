import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import { yamlWith } from './parsed-yaml.ts'
import { CERTIFICATE, KEY } from './pem-files.ts'

let folder: TempFolder

beforeAll(async () => {
  folder = await tempFolder('load-config')
})

afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

describe('loadConfig', () => {
  it('reads the file, and its secrets relative to it', async () => {
    await mkdir(join(folder.path, 'secrets'))
    await writeFile(join(folder.path, 'secrets/edge'), 's3cr3t\n')
    const file = await write(
      'good.yaml',
      yamlWith({
        sources:
          'sources: {edge: {format: distribution, registry: local, secretFile: secrets/edge}}',
      }),
    )

    const config = await loadConfig(file, {})

    expect(config.file).toBe(file)
    expect(config.sources.get('edge')?.secrets).toEqual(['s3cr3t'])
  })

  it('takes a file that begins with a byte order mark', async () => {
    const file = await write('bom.yaml', `\ufeff${yamlWith({})}`)

    await expect(loadConfig(file, {})).resolves.toBeDefined()
  })

  it('says how to begin when there is no file', async () => {
    const error = await errorOf('nowhere.yaml')

    expect(error.message).toBe(
      'nowhere.yaml: cannot read the configuration: there is no such file. Name another file with --config or PULLSYNC_CONFIG, or make one with "pullsync init"',
    )
  })

  it.each([
    ['a folder', () => Promise.resolve(folder.path), 'it is a folder'],
    [
      'more than 1 MiB',
      () => write('large.yaml', '#'.repeat(1024 * 1024 + 1)),
      'larger than 1 MiB',
    ],
    ['what is not text', () => write('binary.yaml', Buffer.from([0x66, 0xff, 0xfe])), 'not UTF-8'],
    ['a link to itself', () => loop(), 'ELOOP'],
  ])('refuses %s', async (_, make, expected) => {
    const error = await errorOf(await make())

    expect(error.message).toContain(expected)
    expect(error.problems).toHaveLength(1)
  })

  it('names every problem on a line of its own', async () => {
    const file = await write('bad.yaml', yamlWith({ listen: 'listen: 1\nfoo: 2', local: '' }))

    const error = await errorOf(file)

    expect(error.file).toBe(file)
    expect(error.problems).toHaveLength(3)
    expect(error.message.split('\n')).toEqual([
      expect.stringContaining(`${file}:1:1  listen: expected an address`),
      expect.stringContaining(`${file}:1:1  local: missing`),
      expect.stringContaining(`${file}:2:1  foo: unknown key`),
    ])
  })
})

describe('the example', () => {
  it('is valid as it is', async () => {
    const config = await loadConfig('deploy/pullsync.example.yaml', {})

    expect([...config.upstreams.keys()]).toEqual(['hq'])
  })

  it('loads with everything in it that is commented out', async () => {
    const secret = await write('secret', 'hunter2\n')
    const pem = await write('pem', CERTIFICATE + KEY)
    const example = await readFile('deploy/pullsync.example.yaml', 'utf8')
    const everything = example
      .replaceAll(/^( *)# ?( *[\w-]+:( .*)?)$/gm, '$1$2')
      .replaceAll(/\/run\/secrets\/[a-z-]+\.(pem|key)|\/etc\/ssl\/[a-z-.]+/g, pem)
      .replaceAll(/\/run\/secrets\/[a-z-.]+/g, secret)
      .replace('http://127.0.0.1:5000', 'http://registry.example:5000')
    const file = await write('everything.yaml', everything)

    const config = await loadConfig(file, {})

    expect(config.projects[1]).toMatchObject({ resync: '0 3 * * *', onMiss: 'stream' })
    expect(config.local.ca).toBeDefined()
    expect(config.upstreams.get('hq')?.password).toBe('hunter2')
    expect(config.sources.get('edge-nginx')?.secrets).toHaveLength(2)
  })
})

async function write(name: string, content: string | Buffer): Promise<string> {
  const file = join(folder.path, name)
  await writeFile(file, content)
  return file
}

async function loop(): Promise<string> {
  const file = join(folder.path, 'loop.yaml')
  await symlink(file, file)
  return file
}

async function errorOf(file: string): Promise<ConfigError> {
  const error: unknown = await loadConfig(file, {}).catch((thrown: unknown) => thrown)
  if (error instanceof ConfigError) return error
  throw new Error('expected a ConfigError', { cause: error })
}
