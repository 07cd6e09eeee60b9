import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StopRequested, stopSignal } from '../../../src/lifecycle/stop-signal.ts'
import { tempFolder, type TempFolder } from '../../support/process/temp-folder.ts'
import { startScript } from './lifecycle-process.ts'

let folder: TempFolder

beforeEach(async () => {
  folder = await tempFolder('stop-signal')
})

afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

// Ends by itself once stopped, unless told to hang.
const SCRIPT = `
  import { stopSignal } from './stop-signal.ts'
  const stop = stopSignal()
  const busy = setInterval(() => {}, 1_000)
  console.log('ready')
  console.log('stopped by ' + await stop.stopped + ', aborted: ' + stop.signal.aborted)
  if (process.env['HANG'] === undefined) clearInterval(busy)
`

describe('stopSignal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('lets a process end in order at %s', async (name) => {
    await using child = await startScript(folder.path, SCRIPT)
    await child.waitForOutput(/ready/)

    child.signal(name)

    expect(await child.waitForExit()).toEqual({ code: 0, signal: null })
    expect(child.lines()).toContain(`stopped by ${name}, aborted: true`)
  })

  it('ends the process by force at a second SIGINT', async () => {
    await using child = await startScript(folder.path, `process.env['HANG'] = '1';${SCRIPT}`)
    await child.waitForOutput(/ready/)

    child.signal('SIGINT')
    await child.waitForOutput(/stopped by SIGINT/)
    child.signal('SIGINT')

    expect(await child.waitForExit()).toEqual({ code: 130, signal: null })
    expect(child.lines().at(-1)).toBe('pullsync: interrupted a second time, ending at once')
  })

  it('does not force an end at a SIGTERM after a SIGINT', async () => {
    await using child = await startScript(
      folder.path,
      `process.env['HANG'] = '1';${SCRIPT}
      process.on('SIGTERM', () => { console.log('terminated too'); process.exitCode = 7; clearInterval(busy) })`,
    )
    await child.waitForOutput(/ready/)

    child.signal('SIGINT')
    await child.waitForOutput(/stopped by SIGINT/)
    child.signal('SIGTERM')

    await child.waitForOutput(/terminated too/)
    expect(await child.waitForExit()).toEqual({ code: 7, signal: null })
  })

  it('leaves the signals to Node again when disposed of', async () => {
    await using child = await startScript(
      folder.path,
      SCRIPT.replace('console.log(', 'stop[Symbol.dispose]();console.log('),
    )
    await child.waitForOutput(/ready/)

    child.signal('SIGTERM')

    expect(await child.waitForExit()).toEqual({ code: null, signal: 'SIGTERM' })
  })

  it('can be stopped for another reason, of which the first counts', async () => {
    using stop = stopSignal()

    stop.stop('redis is gone')
    stop.stop('later')

    expect(await stop.stopped).toBe('redis is gone')
    expect(stop.signal.reason).toBeInstanceOf(StopRequested)
  })
})
