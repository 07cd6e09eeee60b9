import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startRegistry } from '../support/registry/docker-registry.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/network/free-port.ts'
import { buildImage } from '../support/images/image.ts'
import { runPullsync, startPullsync } from '../support/process/pullsync-process.ts'
import { pushOverHttp } from '../support/images/push-over-http.ts'
import { startRedis } from '../support/redis/redis.ts'
import { run } from '../support/process/run.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

/** What of a Compose file the tests look at. */
interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly secrets: Readonly<Record<string, { readonly file: string }>>
  readonly volumes: Readonly<Record<string, unknown>>
}

interface Service {
  readonly read_only?: boolean
  readonly volumes?: readonly string[]
  readonly secrets?: readonly string[]
  readonly ports?: readonly string[]
}

const COMPOSES = [['docker', 'compose'] as const, ['docker-compose'] as const]
const there = await Promise.all(
  COMPOSES.map(([command, ...args]) =>
    run(command, [...args, 'version']).then(
      ({ code }) => code === 0,
      () => false,
    ),
  ),
)
const commands = COMPOSES.filter((_, i) => there[i])
const title = commands.length > 0 ? '' : ' (skipped: no Compose here; on Debian docker-compose)'

describe('the Compose file', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let secrets: string
  let compose: Compose
  /** As the containers read it, but for where the secrets are. */
  let config: string

  beforeAll(async () => {
    folder = await tempFolder('compose')
    await cp('deploy/compose', folder.path, {
      recursive: true,
      // Those of whoever has started the site in this clone.
      filter: (file) => !file.includes('secrets/') || file.endsWith('.gitignore'),
    })
    secrets = join(folder.path, 'secrets')
    await run('sh', [join(folder.path, 'make-secrets.sh')])
    compose = parse(await readFile('docker-compose.yml', 'utf8'), { merge: true }) as Compose
    const text = await readFile('deploy/compose/pullsync.yaml', 'utf8')
    config = text.replaceAll('/run/secrets', secrets)
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it.skipIf(commands.length === 0)(`is what Compose understands${title}`, async () => {
    for (const [command, ...args] of commands) {
      const { code, stderr } = await run(command, [...args, '--profile', 'try', 'config', '-q'])

      expect(stderr.toString('utf8')).toBe('')
      expect(code).toBe(0)
    }
  })

  it('gives services only secrets that make-secrets.sh has made', async () => {
    const wanted = Object.values(compose.services).flatMap((service) => service.secrets ?? [])

    expect(new Set(wanted)).toEqual(new Set(Object.keys(compose.secrets)))
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(file).toBe(`./deploy/compose/secrets/${name}`)
      expect(await readFile(join(secrets, name), 'utf8')).toMatch(/^[0-9a-f]{48}\n$/)
    }
  })

  it('has a configuration that pullsync takes, with those secrets alone', async () => {
    const file = join(folder.path, 'checked.yaml')
    await writeFile(file, config)

    const { code, stderr } = await runPullsync(['check', '--config', file])

    expect(stderr).toBe('')
    expect(code).toBe(0)
    const named = [...config.matchAll(/secrets\/([a-z-]+)/g)].map(([, name]) => name)
    expect(
      named.filter((name) => !compose.services['serve']?.secrets?.includes(name ?? '')),
    ).toEqual([])
  })

  it('lets nothing write but to volumes, which workers have for what clients follow', () => {
    for (const [name, { read_only: readOnly, volumes = [] }] of Object.entries(compose.services)) {
      expect([name, readOnly]).toEqual([name, true])
      const named = volumes.filter((volume) => /^\w/.test(volume)).map((each) => each.split(':')[0])
      expect(named.filter((volume) => !(volume ?? '' in compose.volumes))).toEqual([])
    }
    // The image's TMPDIR.
    expect(compose.services['worker']?.volumes).toContain('spool:/spool')
  })

  it('publishes the gateway where clients pull, on loopback', () => {
    const { listen } = parse(config) as { readonly listen: string }
    const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports)

    expect(compose.services['serve']?.ports).toContain(
      `127.0.0.1:\${LOCAL_PORT:-5000}:${listen.split(':')[1]}`,
    )
    expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  it('makes the first pull work, and a push', async () => {
    await using redis = await startRedis()
    await using registry = await startRegistry()
    await using upstream = await startRegistry()
    const [listen, admin] = [await freePort(), await freePort()]
    const here = config
      .replace('redis://redis:6379', redis.url)
      .replace('http://registry:5000', registry.url)
      .replace('http://upstream:5000', upstream.url)
      .replace('0.0.0.0:8080', `127.0.0.1:${listen}`)
      .replace('0.0.0.0:9090', `127.0.0.1:${admin}`)
    await using serve = await startPullsync({
      ...{ args: ['serve'], config: here, readyUrl: `http://127.0.0.1:${admin}/readyz` },
    })
    await using worker = await startPullsync({
      ...{ args: ['worker'], config: { file: serve.configFile }, readyLine: /process started/ },
    })
    await using image = await buildImage()
    const gateway = `http://127.0.0.1:${listen}`
    await pushOverHttp(image, { url: upstream.url, repository: 'team/alpine', tag: '3' })
    await pushOverHttp(image, { url: gateway, repository: 'own/app', tag: '1' })

    const headers = { accept: image.top.mediaType }
    const first = await fetch(`${gateway}/v2/team/alpine/manifests/3`, { headers })
    const own = await fetch(`${gateway}/v2/own/app/manifests/1`, { headers })

    expect([first.status, own.status]).toEqual([200, 200])
    expect(first.headers.get('docker-content-digest')).toBe(image.top.digest)
    await eventually(
      async () =>
        (await fetch(`${registry.url}/v2/team/alpine/manifests/3`, { headers })).status === 200,
      { describe: () => `the image in the registry; ${worker.output().join('\n')}` },
    )
  })
})
