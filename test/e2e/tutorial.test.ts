import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startChild } from '../support/process/child.ts'
import { freePort } from '../support/network/free-port.ts'
import { registryCommand } from '../support/registry/registry-command.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

const WITHIN_MS = 120_000

it(
  'the tutorial in the README does what it says, command by command',
  { timeout: WITHIN_MS + 10_000 },
  async () => {
    await using folder = await tempFolder('tutorial')
    const script = join(folder.path, 'tutorial.sh')
    await writeFile(script, await withFreePorts(await tutorial()))
    await using shell = await startChild({
      command: 'bash',
      args: [script],
      env: { HOME: folder.path },
      // It has children of its own to end.
      lastSignal: 'SIGTERM',
    })

    const { code } = await shell.waitForExit(WITHIN_MS)

    const said = shell.lines().join('\n')
    expect(said).toContain('is valid: 1 upstream, 1 project, 2 sources')
    expect(said).toMatch(/^local .* ok, anonymous$/m)
    expect(said).toMatch(/completed +hq +team\/app:1\.0 +miss .* copied/)
    expect(said).toMatch(/completed +hq +team\/app:1\.0 +push .* copied/)
    expect(said).toContain('2 linked from another repository')
    expect(said).toContain('error: the image was not copied: not found on hq')
    expect(said).toMatch(/reading manifest 2\.4 .* manifest unknown/)
    expect(said).toMatch(/"Name": "127\.0\.0\.1:\d+\/team\/web"/)
    expect(code, said).toBe(0)
  },
)

// What a person at a keyboard waits for by being slow, by a text in the block that comes before it.
const THEN_WAIT_FOR: readonly (readonly [string, string])[] = [
  ['docker-registry serve upstream.yml', 'pullsync check --online'],
  ['pullsync up', 'pullsync status && listens 8080'],
  ['oci:app-2 docker://127.0.0.1:5001/team/app', 'same_image app:1.0'],
  ['nginx -p', 'listens 5080'],
  ['skopeo inspect --tls-verify=false docker://127.0.0.1:5080/team/web', 'same_image web:2.4'],
]

const BEFORE = `
set -m
shopt -s expand_aliases
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
listens() { (exec 3<>/dev/tcp/127.0.0.1/$1); }
raw() { skopeo inspect --raw --tls-verify=false "docker://127.0.0.1:$1/team/$2"; }
same_image() { local image; image="$(raw 5000 "$1")" && [ "$image" = "$(raw 5001 "$1")" ]; }
`

async function tutorial(): Promise<string> {
  const page = await readFile('README.md', 'utf8')
  const section = /^## Tutorial[^]*?(?=^## )/m.exec(page)?.[0] ?? ''
  const blocks = [...section.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = '']) => block)
  const waits = blocks.map((block) => {
    const [, condition] = THEN_WAIT_FOR.find(([text]) => block.includes(text)) ?? []
    return condition === undefined
      ? block
      : `${block}until { ${condition}; } >/dev/null 2>&1; do :; done\n`
  })
  const own = waits.join('\n').replace('npm run setup\n', '')
  return `${BEFORE}${own.replaceAll(/^docker-registry /gm, `${registryCommand()} `)}`
}

/** The same commands for a machine on which the usual ports may be taken. */
async function withFreePorts(script: string): Promise<string> {
  const ports = new Map<string, number>()
  for (const usual of ['5000', '5001', '5080', '8080', '9090']) ports.set(usual, await freePort())
  return script.replaceAll(
    /\b(?:5000|5001|5080|8080|9090)\b/g,
    (usual) => `${ports.get(usual) ?? usual}`,
  )
}
