import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startChild } from '../../support/process/child.ts'
import { startRedis } from '../../support/redis/redis.ts'
import { runCli } from '../../support/process/run-cli.ts'
import { tempFolder } from '../../support/process/temp-folder.ts'

const PROGRAM = join(import.meta.dirname, '../../../dist/pullsync.js')

it('jobs list --watch shows on a terminal what is queued meanwhile, within its columns, until Ctrl-C', async () => {
  await using redis = await startRedis({ appendOnly: false })
  await using folder = await tempFolder('watch')
  const file = join(folder.path, 'pullsync.yaml')
  await writeFile(
    file,
    `redis: { url: ${redis.url} }
local: { url: http://127.0.0.1:5000 }
upstreams: { hq: { url: http://127.0.0.1:5001 } }
projects: [{ name: team, upstream: hq }]
`,
  )
  const env = { PULLSYNC_CONFIG: file }
  const command = `stty cols 60 rows 20; exec ${process.execPath} ${PROGRAM} jobs list --watch`
  await using terminal = await startChild({
    command: 'script',
    args: ['--quiet', '--return', '--command', command, '/dev/null'],
    env,
  })
  await terminal.waitForOutput(/no such jobs/)

  await runCli(['sync', 'team/a-rather-long-name-of-an-image:1.0'], { env })

  await terminal.waitForOutput(/hq-[0-9a-z]+ +waiting/)
  expect(await runCli(['jobs', 'list', '--watch'], { env })).toMatchObject({ code: 2 })
  const narrow = await runCli(['jobs', 'list'], { env, columns: 60 })
  const lines = narrow.stdout.split('\n')
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60)
  expect((await runCli(['jobs', 'list', '--wide'], { env, columns: 60 })).stdout).toContain(
    'team/a-rather-long-name-of-an-image:1.0',
  )
})
