import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { askHelper } from '../../../../src/registry/credentials/credential-helper.ts'
import { identityOf } from '../../../../src/registry/words/identity.ts'
import { eventually } from '../../../support/eventually.ts'
import { tempFolder, type TempFolder } from '../../../support/process/temp-folder.ts'

const registry = identityOf({ id: 'hq', url: new URL('https://r.example'), trustedHosts: [] })
const SIGNAL = new AbortController().signal

let folder: TempFolder

beforeEach(async () => {
  folder = await tempFolder('helper')
  vi.stubEnv('PATH', `${folder.path}:${process.env['PATH'] ?? ''}`)
})

afterEach(async () => {
  vi.unstubAllEnvs()
  await folder[Symbol.asyncDispose]()
})

async function helper(script: string): Promise<void> {
  const file = join(folder.path, 'docker-credential-fake')
  await writeFile(file, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o700)
}

function ask(more: Partial<Parameters<typeof askHelper>[0]> = {}) {
  return askHelper({ registry, helper: 'fake', server: 'r.example', signal: SIGNAL, ...more })
}

it('a helper is asked for the server, and gives a login', async () => {
  await helper(`cat > '${folder.path}/asked'; echo "$@" >> '${folder.path}/asked'
echo '{"ServerURL":"r.example","Username":"u","Secret":"p"}'`)

  expect(await ask()).toEqual({ kind: 'password', username: 'u', password: 'p' })
  expect(await readFile(join(folder.path, 'asked'), 'utf8')).toBe('r.exampleget\n')
})

it('a helper may give an identity token', async () => {
  await helper(`echo '{"Username":"<token>","Secret":"refresh"}'`)

  expect(await ask()).toEqual({ kind: 'identity-token', token: 'refresh' })
})

it('a helper may have nothing', async () => {
  await helper(`echo 'credentials not found in native keychain'; exit 1`)

  expect(await ask()).toBeUndefined()
})

it('a helper need not read what it is asked', async () => {
  await helper(`exec 0<&-; echo '{"Username":"u","Secret":"p"}'`)

  expect(await ask({ server: 'x'.repeat(200_000) })).toMatchObject({ username: 'u' })
})

it.each([
  ['fails', `echo 'no session bus'; exit 3`, 'failed with exit code 3 (no session bus)'],
  ['is silent', 'exit 0', 'answered without a Username and a Secret'],
  ['answers too much', 'yes', 'answered more than 65536 bytes'],
])('a helper that %s is named, and what it did', async (_, script, what) => {
  await helper(script)

  await expect(ask()).rejects.toThrow(
    `get credentials for upstream "hq" failed: docker-credential-fake, which upstreams.hq.dockerConfig names, ${what}; it was asked for r.example.`,
  )
})

it.each([
  ['and fails', `echo '{"Username":"u","Secret":"hunter2"}'; exit 1`],
  ['in what is no JSON', `echo '{"Username":"u","Secret":"hunter2"'`],
  ['beside the wrong keys', `echo '{"user":"u","Secret":"hunter2"}'; echo hunter2 >&2`],
])('a secret that a helper tells %s stands in no error', async (_, script) => {
  await helper(script)

  const failure = await ask().catch((error: unknown) => String(error))

  expect(failure).toContain('docker-credential-fake')
  expect(failure).not.toContain('hunter2')
})

it('a helper that hangs is ended, with all that it has started', async () => {
  await helper(`sleep 600 & echo $! > '${folder.path}/pid'; wait`)

  await expect(ask({ timeoutMs: 300 })).rejects.toThrow('gave no answer within 0.3 s')

  const pid = Number(await readFile(join(folder.path, 'pid'), 'utf8'))
  await eventually(() => hasEnded(pid), { describe: 'the sleep to have ended' })
})

it('a helper is not waited for once nobody wants its answer', async () => {
  await helper('sleep 600')
  const abort = new AbortController()

  const asked = ask({ signal: abort.signal })
  abort.abort()

  await expect(asked).rejects.toThrow('was not waited for')
})

it('a helper that is not there is a mistake for good', async () => {
  await expect(ask({ helper: 'nowhere' })).rejects.toMatchObject({
    disposition: 'permanent',
    message: expect.stringContaining('is not in the PATH here') as string,
  })
})

it.each(['../evil', 'a b', 'x;id', '', 'A', 'a/b'])('"%s" is no helper', async (name) => {
  await expect(ask({ helper: name })).rejects.toThrow('is not a name of lower-case letters')
})

// Once killed it may wait for a moment to be reaped.
async function hasEnded(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'gone Z')
  return status.includes(' Z')
}
