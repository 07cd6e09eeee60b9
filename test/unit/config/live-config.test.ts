import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigError } from '../../../src/config/config-error.ts'
import { type ConfigChange, type LiveConfig, watchConfig } from '../../../src/config/live-config.ts'
import { eventually } from '../../support/eventually.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import { yamlWith } from './parsed-yaml.ts'

const BEFORE = yamlWith({})
const AFTER = yamlWith({ projects: 'projects: [{name: crew, upstream: hq}]' })

let folder: TempFolder
let live: LiveConfig | undefined
let changes: ConfigChange[]
let invalid: ConfigError[]

beforeEach(async () => {
  folder = await tempFolder('live-config')
  changes = []
  invalid = []
})

afterEach(async () => {
  await live?.[Symbol.asyncDispose]()
  live = undefined
  await folder[Symbol.asyncDispose]()
})

describe('a watched configuration', () => {
  it('changes when the file is written', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))

    await write('pullsync.yaml', AFTER)

    await eventually(() => changes.length === 1)
    expect(config.current().projects[0]?.name).toBe('crew')
    expect(changes[0]?.previous.projects[0]?.name).toBe('team')
    expect(changes[0]?.needRestart).toEqual([])
  })

  it('changes when an editor puts a new file in its place, each time', async () => {
    const file = await write('pullsync.yaml', BEFORE)
    const config = await start(file)

    await rename(await write('first~', AFTER), file)
    await eventually(() => config.current().projects[0]?.name === 'crew')
    await rename(await write('second~', BEFORE), file)

    await eventually(() => config.current().projects[0]?.name === 'team')
  })

  it('changes when Kubernetes swaps the folder behind a mounted ConfigMap', async () => {
    await mkdir(join(folder.path, '..v1'))
    await write('..v1/pullsync.yaml', BEFORE)
    await symlink('..v1', join(folder.path, '..data'))
    await symlink('..data/pullsync.yaml', join(folder.path, 'pullsync.yaml'))
    const config = await start(join(folder.path, 'pullsync.yaml'))

    await mkdir(join(folder.path, '..v2'))
    await write('..v2/pullsync.yaml', AFTER)
    await symlink('..v2', join(folder.path, '..data_tmp'))
    await rename(join(folder.path, '..data_tmp'), join(folder.path, '..data'))
    await rm(join(folder.path, '..v1'), { recursive: true })

    await eventually(() => config.current().projects[0]?.name === 'crew')
  })

  it('keeps the old one while the new one is not valid, and says why', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))

    await write('pullsync.yaml', 'listen: nowhere')
    await eventually(() => invalid.length > 0)

    expect(config.current().projects[0]?.name).toBe('team')
    expect(invalid[0]?.message).toContain('listen: expected an address')
    await write('pullsync.yaml', AFTER)
    await eventually(() => config.current().projects[0]?.name === 'crew')
  })

  it('throws when it is not valid from the start', async () => {
    await expect(start(await write('pullsync.yaml', 'listen: nowhere'))).rejects.toThrow('listen')
  })
})

describe('a reload', () => {
  it('picks up a changed secret file', async () => {
    await write('secret', 'old')
    const file = await write(
      'pullsync.yaml',
      yamlWith({
        sources: 'sources: {edge: {format: distribution, registry: local, secretFile: secret}}',
      }),
    )
    const config = await start(file)

    await write('secret', 'new')
    const reloaded = await config.reload()

    expect(reloaded.kind).toBe('changed')
    expect(config.current().sources.get('edge')?.secrets).toEqual(['new'])
  })

  it('sees a changed URL', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))

    await write('pullsync.yaml', BEFORE.replace('hq.example', 'hq2.example'))
    await config.reload()

    expect(config.current().upstreams.get('hq')?.url.href).toBe('https://harbor.hq2.example/')
  })

  it('tells nobody when nothing changed', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))

    await write('pullsync.yaml', `# a comment\n${BEFORE}`)

    expect(await config.reload()).toEqual({ kind: 'unchanged' })
    expect(changes).toEqual([])
  })

  it('names the sections that need a restart', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))

    await write(
      'pullsync.yaml',
      yamlWith({
        listen: 'listen: 127.0.0.1:1',
        more: 'admin: {username: ops}\nredis: {url: "redis://127.0.0.1"}',
      }),
    )
    await config.reload()

    expect(changes.map(({ needRestart }) => needRestart)).toEqual([['listen', 'admin', 'redis']])
  })

  it('reports what is not valid to its caller too', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))

    await rm(join(folder.path, 'pullsync.yaml'))
    const reloaded = await config.reload()

    expect(reloaded.kind === 'invalid' && reloaded.error.message).toContain('no such file')
    expect(config.current().projects[0]?.name).toBe('team')
  })

  it('tells a listener nothing after it was taken off', async () => {
    const config = await start(await write('pullsync.yaml', BEFORE))
    const seen: ConfigChange[] = []
    const stop = config.onChange((change) => seen.push(change))

    stop()
    await write('pullsync.yaml', AFTER)
    await config.reload()

    expect(changes).toHaveLength(1)
    expect(seen).toEqual([])
  })
})

async function start(file: string): Promise<LiveConfig> {
  live = await watchConfig(
    file,
    {},
    {
      debounceMs: 20,
      onInvalid: (error) => invalid.push(error),
      onWatchError: (error) => {
        throw error
      },
    },
  )
  live.onChange((change) => changes.push(change))
  return live
}

async function write(name: string, text: string): Promise<string> {
  const file = join(folder.path, name)
  await writeFile(file, text)
  return file
}
