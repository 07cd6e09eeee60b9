import { chmod, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../../support/process/run.ts'
import { runCli } from '../../support/process/run-cli.ts'
import { startRedis, type TestRedis } from '../../support/redis/redis.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'

const NOT_HERE = ' (skipped: it is not here; "npm run setup -- --clients" installs it)'
const [hasFish, hasZsh] = await Promise.all(
  ['fish', 'zsh'].map((shell) =>
    run(shell, ['--version']).then(
      ({ code }) => code === 0,
      () => false,
    ),
  ),
)
const PROGRAM = join(import.meta.dirname, '../../../dist/pullsync.js')

describe('completion', () => {
  let redis: TestRedis
  let folder: TempFolder
  let env: Readonly<Record<string, string>>

  beforeAll(async () => {
    redis = await startRedis({ appendOnly: false })
    folder = await tempFolder('completion')
    const file = join(folder.path, 'pullsync.yaml')
    await writeFile(
      file,
      `redis: { url: ${redis.url} }
local: { url: http://127.0.0.1:5000 }
upstreams: { hq: { url: http://127.0.0.1:5001 }, lab: { url: http://127.0.0.1:5002 } }
projects: [{ name: team, upstream: hq }, { name: tools, upstream: lab }, { name: '*', upstream: hq }]
`,
    )
    await chmod(PROGRAM, 0o755)
    await symlink(PROGRAM, join(folder.path, 'pullsync'))
    const path = `${folder.path}:${process.env['PATH'] ?? ''}`
    env = { PULLSYNC_CONFIG: file, PATH: path }
  })

  afterAll(async () => {
    await folder[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })

  async function complete(...words: readonly string[]): Promise<readonly string[]> {
    const { code, stdout, stderr } = await runCli(['__complete', '--', ...words], { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return stdout.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t', 1)[0] ?? '']))
  }

  it.each([
    [['st'], ['status']],
    [
      ['jobs', ''],
      ['list', 'show', 'retry', 'remove', 'help'],
    ],
    [['jobs', 'list', '--state', 'f'], ['failed']],
    [['jobs', 'list', '--st'], ['--state']],
    [
      ['--json', 'jobs', 'list', '--upstream', ''],
      ['hq', 'lab'],
    ],
    [['pause', 'l'], ['lab']],
    [
      ['why', 't'],
      ['team/', 'tools/'],
    ],
    [
      ['print', 'k3s', 'hq', ''],
      ['hq', 'lab'],
    ],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish', 'powershell'],
    ],
    [['--config', ''], []],
    [['nonsense', ''], []],
  ])('of %j is %j', async (words, expected) => {
    const found = await complete(...words)

    expect(found).toEqual(words[0] === 'nonsense' ? expect.arrayContaining(['status']) : expected)
  })

  it('of a job is its id, with what it is', async () => {
    const queued = await runCli(['sync', 'team/app:1.0', '--json'], { env })
    const { jobId } = JSON.parse(queued.stdout) as { readonly jobId: string }

    expect(await complete('jobs', 'remove', 'hq')).toEqual([jobId])
    expect(await complete('jobs', 'retry', '')).toEqual([])
  })

  it('of what needs a configuration or Redis that is away is nothing', async () => {
    const { code, stdout } = await runCli(['__complete', '--', 'pause', ''], {
      env: { PULLSYNC_CONFIG: '/nowhere.yaml' },
    })

    expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
  })

  it('works in bash', async () => {
    const script = `source <(pullsync completion bash)
COMP_WORDS=(pullsync pause h) COMP_CWORD=2
_pullsync 2>/dev/null; echo "\${COMPREPLY[@]}"
COMP_WORDS=(pullsync jobs re) COMP_CWORD=2
_pullsync 2>/dev/null; echo "\${COMPREPLY[@]}"`

    const { stdout, stderr } = await run('bash', ['--norc', '-c', script], { env })

    expect(stderr.toString()).toBe('')
    expect(stdout.toString().trim().split('\n')).toEqual(['hq', 'retry remove'])
  })

  it.skipIf(!hasFish)(`works in fish${hasFish ? '' : NOT_HERE}`, async () => {
    const script = `pullsync completion fish | source
cd ${folder.path}
complete -C 'pullsync pause '; echo
complete -C 'pullsync jobs re'; echo
complete -C 'pullsync --config pullsync.y'`

    const { stdout, stderr } = await run('fish', ['--no-config', '-c', script], { env })

    expect(stderr.toString()).toBe('')
    const words = stdout.toString().replaceAll(/\t.*/g, '').trim().split('\n\n')
    expect(words).toEqual(['hq\nlab', 'remove\nretry', 'pullsync.yaml'])
  })

  // A terminal of zsh's own, in which somebody presses the key.
  it.skipIf(!hasZsh)(`works in zsh${hasZsh ? '' : NOT_HERE}`, async () => {
    const script = String.raw`zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'autoload -U compinit; compinit -u -D; PS1="ready "; source <(pullsync completion zsh)'
zpty -r shell out '*ready *'
zpty -w -n shell $'pullsync jobs re\t'
zpty -r shell out '*remove*retry*'
print -r -- $out
zpty -w -n shell $'\C-upullsync pause l\t'
zpty -r shell out '*pause lab*'
print -r -- $out
zpty -d shell`

    const { stdout } = await run('zsh', ['-f', '-c', script], {
      env: { ...env, TERM: 'dumb' },
      within: 120_000,
    })

    expect(stdout.toString()).toMatch(/remove +-- drop jobs[^]*retry[^]*pause lab/)
  })

  it('has a script for PowerShell that asks the same', async () => {
    const { code, stdout } = await runCli(['completion', 'powershell'])

    expect(code).toBe(0)
    expect(stdout).toContain('pullsync __complete -- ')
  })
})
