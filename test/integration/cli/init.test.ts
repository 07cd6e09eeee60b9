import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { childEnvironment } from '../../support/process/child.ts'
import { startRegistry, type TestRegistry } from '../../support/registry/docker-registry.ts'
import { eventually } from '../../support/eventually.ts'
import { runCli } from '../../support/process/run-cli.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/pullsync.js')

describe('pullsync init', () => {
  let registry: TestRegistry
  let folder: TempFolder
  let file: string

  beforeAll(async () => {
    registry = await startRegistry()
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
  })

  beforeEach(async () => {
    folder = await tempFolder('init')
    file = join(folder.path, 'pullsync.yaml')
  })

  afterEach(async () => {
    await folder[Symbol.asyncDispose]()
  })

  const init = (...args: readonly string[]) => runCli(['init', '--config', file, ...args])

  it('writes a configuration that is valid and reaches its registries, with its secrets for nobody else', async () => {
    const { code, stdout, stderr } = await init(
      ...['--local', registry.url, '--upstream', registry.url, '--project', 'team'],
    )

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^local +http.* +ok, anonymous/m)
    expect(stdout).toContain('pullsync print notifications edge --with-secrets')
    const secret = join(folder.path, 'secrets/edge')
    expect((await stat(secret)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder.path, 'secrets'))).mode & 0o777).toBe(0o700)
    const text = (await readFile(secret, 'utf8')).trim()
    expect(text).toMatch(/^[0-9a-f]{48}$/)
    expect(stdout + (await readFile(file, 'utf8'))).not.toContain(text)
    const printed = await runCli(['print', 'notifications', '--with-secrets', '--config', file])
    expect(printed.stdout).toContain(text)
  })

  it('overwrites nothing, not even a secret', async () => {
    const args = ['--local', registry.url, '--upstream', registry.url, '--project', 'team']
    await init(...args, '--no-online')
    const before = await readFile(join(folder.path, 'secrets/edge'), 'utf8')

    const again = await init(...args, '--no-online')
    expect(again).toMatchObject({ code: 1 })
    expect(again.stderr).toContain(`${file} is there already`)
    const elsewhere = join(folder.path, 'other.yaml')
    const other = await runCli(['init', '--config', elsewhere, ...args, '--no-online'])

    expect(other).toMatchObject({ code: 1 })
    expect(await readFile(join(folder.path, 'secrets/edge'), 'utf8')).toBe(before)
    await expect(stat(elsewhere)).rejects.toThrow('ENOENT')
  })

  it('writes nothing where a password file cannot be read', async () => {
    const missing = join(folder.path, 'no-password')
    const registries = ['--local', registry.url, '--upstream', 'https://hub.example']
    const account = ['--upstream-username', 'robot', '--upstream-password-file', missing]

    const { code, stderr } = await init(...registries, ...account, '--project', 'team')

    expect(code).toBe(1)
    expect(stderr).toContain(`cannot read the password file ${missing}; nothing was written`)
    await expect(stat(file)).rejects.toThrow('ENOENT')
  })

  it.each([
    ['a Redis that is no URL', ['--redis', 'localhost:6379'], 'redis.url: expected a redis://'],
    ['an empty user name', ['--local-username', ''], 'local.username: expected text'],
    ['an empty password file', [], 'local.passwordFile: the file '],
  ])('writes nothing that is no configuration: %s', async (_, options, reason) => {
    const password = join(folder.path, 'password')
    await writeFile(password, reason.includes('passwordFile') ? '' : 'pw')
    const account = ['--local-username', 'robot', '--local-password-file', password]
    const registries = ['--local', registry.url, '--upstream', registry.url, '--project', 'team']

    const { code, stderr } = await init(...registries, ...account, ...options)

    expect(code).toBe(1)
    expect(stderr).toContain(`nothing was written: ${reason}`)
    await expect(stat(file)).rejects.toThrow('ENOENT')
    await expect(stat(join(folder.path, 'secrets'))).rejects.toThrow('ENOENT')
  })

  it('names the options that are missing where it cannot ask', async () => {
    const { code, stderr } = await run('', `init --local ${registry.url} --config ${file}`)

    expect(code).toBe(2)
    expect(stderr).toContain('--local, --upstream and --project')
    expect(await init('--local', 'nonsense')).toMatchObject({ code: 2 })
  })

  it('asks on a terminal, again what was no answer, and shows no password', async () => {
    const password = 'pa$$word of the tests'
    await writeFile(join(folder.path, 'registry'), '')
    const command = `${process.execPath} ${PROGRAM} init --no-online --config ${file}`
    const typed = [
      ...['nonsense', registry.url, 'robot$edge', password],
      ...['https://hub.example', '', 'team'],
    ]

    const { code, stdout } = await run(typed, command)

    expect({ code, stdout: code === 0 ? '' : stdout }).toEqual({ code: 0, stdout: '' })
    expect(stdout).not.toContain(password)
    expect(await readFile(join(folder.path, 'secrets/local'), 'utf8')).toBe(`${password}\n`)
    const checked = await runCli(['check', '--config', file])
    expect(checked.stdout).toContain('is valid: 1 upstream, 1 project, 1 source')
    expect(await readFile(file, 'utf8')).toContain('username: "robot$$edge"')
  })
})

/** With answers: on a terminal, each typed once its question is there. */
async function run(answers: readonly string[] | '', command: string) {
  const isTerminal = answers !== ''
  const args = ['--quiet', '--return', '--command', command, '/dev/null']
  const started = isTerminal
    ? spawn('script', args, { env: childEnvironment() })
    : spawn(process.execPath, [PROGRAM, ...command.split(' ')], { env: childEnvironment() })
  let stdout = ''
  let stderr = ''
  started.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  started.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const exited = once(started, 'close') as Promise<[code: number]>
  for (const answer of isTerminal ? answers : []) {
    await eventually(() => stdout.endsWith(': '))
    const before = stdout.length
    started.stdin.write(`${answer}\r`)
    await eventually(() => stdout.length > before)
  }
  if (!isTerminal) started.stdin.end()
  const [code] = await exited
  return { code, stdout, stderr }
}
