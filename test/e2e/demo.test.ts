import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { startChild } from '../support/process/child.ts'
import { run } from '../support/process/run.ts'

const DEMO = 'dist/scripts/demo/demo.js'

describe('the demo', () => {
  it('sees each of its claims to be true, and leaves nothing behind', async () => {
    const { code, stdout } = await run(process.execPath, [DEMO, '--once'])

    const story = stdout.toString('utf8')
    expect(story).toMatch(/(\d+) of \1 claims seen to be true/)
    expect(story).not.toContain('✗')
    expect(code).toBe(0)
    expect(existsSync(folderOf(story))).toBe(false)
  })

  it.runIf(process.platform === 'linux')('stops in the middle when it is told to', async () => {
    await using demo = await startChild({ command: process.execPath, args: [DEMO] })
    await demo.waitForOutput(/skopeo copy --all/)
    const folder = folderOf(demo.lines().join('\n'))
    expect(await processesOf(folder)).not.toEqual([])

    demo.signal('SIGTERM')

    expect(await demo.waitForExit()).toEqual({ code: 143, signal: null })
    expect(await processesOf(folder)).toEqual([])
    expect(existsSync(folder)).toBe(false)
  })

  it('says what it understands', async () => {
    const { code, stderr } = await run(process.execPath, [DEMO, '--twice'])

    expect(code).toBe(2)
    expect(stderr.toString('utf8')).toContain('Usage: npm run demo')
  })
})

/** The folder that the demo tells; its processes name it on their command lines. */
function folderOf(story: string): string {
  const [folder] = /\S*\/pullsync-demo-\w+/.exec(story) ?? []
  if (folder === undefined) throw new Error(`the demo told no folder:\n${story}`)
  return folder
}

// Not `ps`: small systems come without it.
async function processesOf(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
  return (await Promise.all(lines)).filter((line) => line.includes(folder))
}
