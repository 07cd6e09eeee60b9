import { lastLines, startChild } from '../../test/support/process/child.ts'
import { cpuMsOf, peakMibOf, type Usage } from '../figures/usage.ts'

/** Often enough that what the last look missed is lost in the noise. */
const LOOK_EVERY_MS = 10

/** Runs a command to its end, from its start. One that fails is no measurement: it throws. */
export async function measuredCommand(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Usage> {
  const startedAt = performance.now()
  const child = await startChild({ command, args, env })
  let usage = { cpuMs: 0, peakMib: 0 }
  const look = setInterval(() => {
    usage = {
      cpuMs: cpuMsOf(child.pid) ?? usage.cpuMs,
      peakMib: peakMibOf(child.pid) ?? usage.peakMib,
    }
  }, LOOK_EVERY_MS)
  const { code } = await child.ended
  const ms = performance.now() - startedAt
  clearInterval(look)
  if (code === 0) return { ms, ...usage }
  throw new Error(`${command} ${args.join(' ')} failed:\n${lastLines(child.lines())}`)
}
