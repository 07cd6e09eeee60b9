import { describe, expect, it } from 'vitest'
import {
  type ChildOptions,
  ChildStartError,
  type RunningChild,
  startChild,
} from '../../../src/lifecycle/child-process.ts'
import { eventually } from '../../support/eventually.ts'
import { tempFolder } from '../../support/process/temp-folder.ts'
import { startScript } from './lifecycle-process.ts'

describe('startChild', () => {
  it('gives each line of both outputs, and how it ended', async () => {
    const lines: string[] = []
    await using child = await startNode(
      `console.log('out'); console.error('err'); process.exit(3)`,
      {
        onLine: (line) => lines.push(line),
      },
    )

    expect(await child.exited).toEqual({ code: 3, signal: null })
    expect(lines.toSorted()).toEqual(['err', 'out'])
  })

  it('stops a child by SIGTERM', async () => {
    const child = await startWhenReady(
      `process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000)`,
    )

    expect(await child.stop()).toEqual({ code: 5, signal: null })
  })

  it('kills a child that takes no notice', async () => {
    const child = await startWhenReady(
      `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`,
      {
        killAfterMs: 50,
      },
    )

    expect(await child.stop()).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('stops it when disposed of, and again without harm', async () => {
    const child = await startWhenReady('setInterval(() => {}, 1000)')

    await child[Symbol.asyncDispose]()
    await child[Symbol.asyncDispose]()

    expect(isAlive(child.pid)).toBe(false)
  })

  it('does not wait for a grandchild that holds the output open', async () => {
    await using folder = await tempFolder('grandchild')
    const child = await startWhenReady(
      `const { pid } = require('node:child_process').spawn('sleep', ['60'], { stdio: 'inherit' })
       require('node:fs').writeFileSync('pid', String(pid))
       setInterval(() => {}, 1000)`,
      { cwd: folder.path },
    )

    expect(await child.stop()).toEqual({ code: null, signal: 'SIGTERM' })
    const { readFile } = await import('node:fs/promises')
    process.kill(Number(await readFile(`${folder.path}/pid`, 'utf8')))
  })

  it('says that a program is not there', async () => {
    const start = startChild({ command: 'no-such-program', args: [], onLine: () => undefined })

    await expect(start).rejects.toThrow(ChildStartError)
    await expect(start).rejects.toThrow('cannot start no-such-program: there is no such program')
  })

  it('takes the child along when this process exits', async () => {
    await using folder = await tempFolder('child-of-child')
    await using parent = await startScript(
      folder.path,
      `import { startChild } from './child-process.ts'
       const child = await startChild({ command: 'sleep', args: ['60'], onLine: () => {} })
       console.log('child ' + child.pid)
       process.exit(0)`,
    )
    const line = await parent.waitForOutput(/^child \d+$/)

    await parent.waitForExit()

    await eventually(() => !isAlive(Number(line.slice('child '.length))))
  })

  it('keeps a Ctrl-C at the terminal from the child', async () => {
    await using child = await startWhenReady('setInterval(() => {}, 1000)')

    // A process group's id is the id of its first process; there is one only if the child leads it.
    expect(() => process.kill(-child.pid, 0)).not.toThrow()
  })
})

async function startNode(
  script: string,
  options: Partial<ChildOptions> = {},
): Promise<RunningChild> {
  return await startChild({
    command: process.execPath,
    args: ['--eval', script],
    onLine: () => undefined,
    ...options,
  })
}

async function startWhenReady(
  script: string,
  options: Partial<ChildOptions> = {},
): Promise<RunningChild> {
  const lines: string[] = []
  const child = await startNode(`${script};console.log('ready')`, {
    ...options,
    onLine: (line) => lines.push(line),
  })
  await eventually(() => lines.includes('ready'))
  return child
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
