import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goProgram, missingProgram } from '../support/process/go-program.ts'
import { run } from '../support/process/run.ts'
import { type TempFolder, tempFolder } from '../support/process/temp-folder.ts'
import { type Site, startSite } from '../e2e/site.ts'

const HELM = goProgram('helm') ?? ''
const { code: gpgCode } = await run('gpg', ['--version']).catch(() => ({ code: 1 }))
const noGpg = gpgCode === 0 ? '' : ' (skipped: no gpg here)'

describe.skipIf(HELM === '')(`helm${missingProgram('helm')}`, () => {
  let site: Site
  let folder: TempFolder

  beforeAll(async () => {
    folder = await tempFolder('helm')
    site = await startSite()
    for (const version of ['1.0.0', '1.2.0', '2.0.0'])
      await push('demo', version, site.upstream.host)
  })

  afterAll(async () => {
    await site[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const helm = (...args: readonly string[]) =>
    run(HELM, args, { cwd: folder.path, env: { HOME: folder.path } })

  async function push(
    name: string,
    version: string,
    host: string,
    signing: readonly string[] = [],
  ) {
    const chart = join(folder.path, name)
    await mkdir(join(chart, 'templates'), { recursive: true })
    await writeFile(join(chart, 'Chart.yaml'), chartFile(name, version))
    await writeFile(join(chart, 'templates', 'all.yaml'), MAP)
    expect(await helm('package', chart, ...signing)).toMatchObject({ code: 0 })
    const archive = `${name}-${version}.tgz`
    const pushed = await helm('push', '--plain-http', archive, `oci://${host}/team/charts`)
    expect(pushed).toMatchObject({ code: 0 })
  }

  it.each([
    ['the latest where no version is named', [], '2.0.0'],
    ['the latest of a range', ['--version', '^1'], '1.2.0'],
    ['the version that is named', ['--version', '1.0.0'], '1.0.0'],
  ])('installs a chart that was never pulled: %s', async (_, version, expected) => {
    const chart = `oci://${site.gateway}/team/charts/demo`

    const { code, stdout } = await helm('template', 'mine', chart, '--plain-http', ...version)

    expect(code).toBe(0)
    expect(stdout.toString()).toContain(`version: ${JSON.stringify(expected)}`)
  })

  it('pushes a chart through the gateway, and pulls it from the registry behind', async () => {
    await push('own', '3.0.0', site.gateway)

    const chart = `oci://${site.local.host}/team/charts/own`
    const into = join(folder.path, 'pulled')
    await mkdir(into)
    const pulled = await helm('pull', chart, '--plain-http', '--version', '3.0.0', '-d', into)

    expect(pulled).toMatchObject({ code: 0 })
    expect(await readdir(into)).toEqual(['own-3.0.0.tgz'])
  })

  describe.skipIf(noGpg !== '')(`with provenance${noGpg}`, () => {
    let keys: Keys

    beforeAll(async () => {
      keys = await createKeys(folder.path)
    }, 60_000)

    it.each([
      ['pushed upstream, that was never pulled', 'signed', () => site.upstream.host],
      ['pushed through the gateway', 'signed-here', () => site.gateway],
    ])('verifies a chart that was signed and %s', async (_, name, host) => {
      await push(name, '1.0.0', host(), ['--sign', '--key', SIGNER, '--keyring', keys.secret])
      const into = join(folder.path, `${name}-pulled`)
      await mkdir(into, { recursive: true })

      const chart = `oci://${site.gateway}/team/charts/${name}`
      const verify = ['--verify', '--keyring', keys.public, '--version', '1.0.0']
      const pulled = await helm('pull', chart, '--plain-http', ...verify, '-d', into)

      expect(pulled).toMatchObject({ code: 0 })
      expect(await readdir(into)).toEqual([`${name}-1.0.0.tgz`, `${name}-1.0.0.tgz.prov`])
    })
  })
})

const SIGNER = 'Chart Tests'

interface Keys {
  readonly secret: string
  readonly public: string
}

/** Keyrings in the form that helm reads. */
async function createKeys(folder: string): Promise<Keys> {
  const env = { GNUPGHOME: join(folder, 'keys') }
  await mkdir(env.GNUPGHOME, { mode: 0o700, recursive: true })
  const alone = ['--batch', '--pinentry-mode', 'loopback', '--passphrase', '']
  const gpg = async (...args: readonly string[]) => {
    const { code, stdout } = await run('gpg', [...alone, ...args], { env, within: 60_000 })
    expect(code).toBe(0)
    return stdout
  }
  await gpg('--yes', '--quick-generate-key', `${SIGNER} <charts@example.test>`, 'rsa2048', 'sign')
  const keys = { secret: join(folder, 'secret.gpg'), public: join(folder, 'public.gpg') }
  await writeFile(keys.secret, await gpg('--export-secret-keys'))
  await writeFile(keys.public, await gpg('--export'))
  await run('gpgconf', ['--kill', 'gpg-agent'], { env })
  return keys
}

function chartFile(name: string, version: string): string {
  return `apiVersion: v2\nname: ${name}\nversion: ${version}\n`
}

const MAP = `apiVersion: v1
kind: ConfigMap
metadata: { name: {{ .Release.Name }} }
data: { version: {{ .Chart.Version | quote }} }
`
