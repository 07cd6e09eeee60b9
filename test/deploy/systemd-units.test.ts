import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from '../support/process/run.ts'
import { tempFolder } from '../support/process/temp-folder.ts'

const there = await run('systemd-analyze', ['--version']).then(
  () => true,
  () => false,
)
const title = there ? '' : ' (skipped: no systemd-analyze here)'

describe.skipIf(!there)(`the systemd units${title}`, () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>
  beforeAll(async () => {
    folder = await tempFolder('units')
    await copyFile(
      'deploy/systemd/pullsync-serve.service',
      join(folder.path, 'pullsync-serve.service'),
    )
    await copyFile(
      'deploy/systemd/pullsync-worker@.service',
      join(folder.path, 'pullsync-worker@1.service'),
    )
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  it.each(['pullsync-serve.service', 'pullsync-worker@1.service'])(
    '%s is what systemd understands, and lets the process do little',
    async (unit) => {
      const file = join(folder.path, unit)
      const verified = await run('systemd-analyze', ['verify', '--man=no', file])
      const judged = await run('systemd-analyze', ['security', '--offline=true', file])

      // Node may be elsewhere on this machine.
      const complaints = `${verified.stdout.toString()}${verified.stderr.toString()}`
        .split('\n')
        .filter((line) => line !== '' && !line.includes('/usr/bin/node is not executable'))
      expect(complaints).toEqual([])
      const [, exposure] =
        /Overall exposure level for \S+: ([\d.]+)/.exec(judged.stdout.toString()) ?? []
      expect(Number(exposure)).toBeLessThan(2)
    },
  )
})
