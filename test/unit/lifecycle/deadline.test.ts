import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import { startScript } from './lifecycle-process.ts'

let folder: TempFolder

beforeEach(async () => {
  folder = await tempFolder('deadline')
})

afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

describe('deadline', () => {
  it('ends a process that does not end by itself, and says so', async () => {
    await using child = await startScript(
      folder.path,
      `import { deadline } from './deadline.ts'
       setInterval(() => {}, 1_000)
       deadline({ afterMs: 50 })`,
    )

    expect(await child.waitForExit()).toEqual({ code: 1, signal: null })
    expect(child.lines()).toEqual(['pullsync: not stopped within 0.05 s, ending by force'])
  })

  it('keeps no process alive', async () => {
    await using child = await startScript(
      folder.path,
      `import { deadline } from './deadline.ts'
       deadline({ afterMs: 3_600_000 })`,
    )

    expect(await child.waitForExit()).toEqual({ code: 0, signal: null })
  })

  it('can be called off', async () => {
    await using child = await startScript(
      folder.path,
      `import { deadline } from './deadline.ts'
       const end = deadline({ afterMs: 10 })
       end[Symbol.dispose]()
       setTimeout(() => { process.exitCode = 3 }, 100)`,
    )

    expect(await child.waitForExit()).toEqual({ code: 3, signal: null })
  })
})
